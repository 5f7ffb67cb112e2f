import { describe, InvalidOptionError } from '@ashlar/core';
import type { Endpoint } from '../endpoint.ts';
import type { Policy, PolicyFactory } from '../policy.ts';

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

/** A policy for one balancer. @throws InvalidOptionError, also for a factory of factories that was not called */
export function madePolicy<E extends Endpoint>(factory: PolicyFactory): Policy<E> {
  const policy = typeof factory === 'function' ? factory<E>() : undefined;
  if (typeof policy?.update === 'function' && typeof policy.pick === 'function') return policy;
  const got = typeof policy === 'function' ? 'a function that makes no policy: call it' : describe(factory);
  throw new InvalidOptionError('policy', `\`policy\` must be a policy, as \`roundRobin()\`, got ${got}`);
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
