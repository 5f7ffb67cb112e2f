import type { Driver } from '../../src/index.ts';

/** The driver with some other methods. */
export function withMethods<D extends Driver>(driver: D, methods: Partial<Driver>): D {
  return new Proxy(driver, {
    get(target, name) {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
