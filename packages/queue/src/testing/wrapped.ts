/** The same object with some members replaced, whatever members it has and gets. */
export function wrapped<T extends object, M extends object>(target: T, members: M): T & M {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name, members) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    has: (_, name) => Object.hasOwn(members, name) || name in target,
  }) as T & M;
}
