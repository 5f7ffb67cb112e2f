import { describe, InvalidOptionError } from '@ashlar/core';

/** What a store keeps in Redis, under one hash tag, so that a cluster has it all on one node. */
export interface Keys {
  /** In the order in which the scripts take them. */
  readonly common: readonly [index: string, expiry: string, log: string, meta: string, values: string];
  readonly log: string;
  readonly meta: string;
  value(key: string): string;
  claim(name: string): string;
}

/** @throws InvalidOptionError */
export function keysUnder(prefix: string): Keys {
  if (typeof prefix !== 'string' || !/^[^{}]{1,200}$/su.test(prefix)) {
    const expected = 'a string of 1 to 200 characters without braces';
    throw new InvalidOptionError('prefix', `\`prefix\` must be ${expected}, got ${describe(prefix)}`);
  }
  const [log, meta, values] = [`{${prefix}}:log`, `{${prefix}}:meta`, `{${prefix}}:v:`];
  return {
    common: [`{${prefix}}:index`, `{${prefix}}:expiry`, log, meta, values],
    log,
    meta,
    value: key => `${values}${key}`,
    claim: name => `{${prefix}}:c:${name}`,
  };
}
