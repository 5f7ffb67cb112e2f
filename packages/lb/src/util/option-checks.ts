import { describe, InvalidOptionError } from '@ashlar/core';

/** @throws InvalidOptionError when it is no object, where `true` and the like would pass for one without fields */
export function objectOption<T extends object>(option: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value;
  throw new InvalidOptionError(option, `\`${option}\` must be an object, got ${describe(value)}`);
}

/** @throws InvalidOptionError */
export function booleanOption(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidOptionError(option, `\`${option}\` must be true or false, got ${describe(value)}`);
}

/** @throws InvalidOptionError */
export function balancerOption<T extends { watch: unknown }>(balancer: T): T {
  if (typeof balancer?.watch === 'function') return balancer;
  throw new InvalidOptionError('balancer', `a LoadBalancer is needed, got ${describe(balancer)}`);
}

/** @throws InvalidOptionError */
export function oneOf<T extends string>(option: string, value: T, values: readonly T[]): T {
  if (values.includes(value)) return value;
  const listed = values.map(each => `'${each}'`).join(' or ');
  throw new InvalidOptionError(option, `\`${option}\` must be ${listed}, got ${describe(value)}`);
}
