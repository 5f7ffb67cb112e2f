import { type Rule, refused } from '@ashlar/core';

/** What a store holds in Redis, under one hash tag, so that a cluster has all of it on one node. */
export interface Keys {
  /** In the order in which the scripts take them. */
  readonly common: readonly [index: string, expiry: string, log: string, meta: string, values: string];
  readonly log: string;
  readonly meta: string;
  value(key: string): string;
  claim(name: string): string;
}

/** The rule of `prefix`. */
export const prefix: Rule<string> = (value = 'ashlar', option) => {
  if (typeof value === 'string' && /^[^{}]{1,200}$/su.test(value)) return value;
  throw refused(option, 'a string of 1 to 200 characters without braces', value);
};

export function keysUnder(prefix: string): Keys {
  const [log, meta, values] = [`{${prefix}}:log`, `{${prefix}}:meta`, `{${prefix}}:v:`];
  return {
    common: [`{${prefix}}:index`, `{${prefix}}:expiry`, log, meta, values],
    log,
    meta,
    value: key => `${values}${key}`,
    claim: name => `{${prefix}}:c:${name}`,
  };
}
