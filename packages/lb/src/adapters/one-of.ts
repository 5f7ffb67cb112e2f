import { describe, InvalidOptionError } from '@ashlar/core';

/** @throws InvalidOptionError */
export function oneOf<T extends string>(option: string, value: T, values: readonly T[]): T {
  if (values.includes(value)) return value;
  const listed = values.map(each => `'${each}'`).join(' or ');
  throw new InvalidOptionError(option, `\`${option}\` must be ${listed}, got ${describe(value)}`);
}
