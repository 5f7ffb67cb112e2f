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
