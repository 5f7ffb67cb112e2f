import { InvalidOptionError } from '../errors.ts';
import { describe } from './values.ts';

/** What to write instead, as `eviction: lru, imported from '@ashlar/cache-policies'`; may depend on the refused value. */
export type Advice = string | ((value: unknown) => string | undefined);

/** An error that names the option, says what it must be, quotes the value and says what to write. */
export function refused(
  option: string,
  expected: string,
  value: unknown,
  advice?: Advice,
): InvalidOptionError {
  const help = typeof advice === 'function' ? advice(value) : advice;
  const message = `\`${option}\` must be ${expected}, got ${describe(value)}`;
  return new InvalidOptionError(option, help === undefined ? message : `${message}; ${help}`);
}

/** For waits, which may be over already or have no end. @throws InvalidOptionError for what is no number */
export function checkMs(ms: unknown, option: string): void {
  if (typeof ms !== 'number' || Number.isNaN(ms)) throw refused(option, 'a number of milliseconds', ms);
}

/** Whether it is an `AbortSignal`, by its shape. */
export function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = Object(value) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function';
}
