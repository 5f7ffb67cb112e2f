/** An object of which some methods do something else. */
export function altered<T extends object>(of: T, changes: Partial<T>): T {
  return new Proxy(of, {
    get: (target, name) => {
      const member: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
