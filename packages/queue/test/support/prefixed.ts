import type { Driver } from '../../src/index.ts';

/** The driver with topics of its own, on a server that is shared. */
export function prefixed(driver: Driver, prefix: string): Driver {
  return new Proxy(driver, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      if (typeof name === 'symbol') return value.bind(target);
      return (topic: string, ...rest: unknown[]) => value.call(target, `${prefix}.${topic}`, ...rest);
    },
  });
}
