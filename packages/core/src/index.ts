export { Alarm } from './alarm.ts';
export type { BackoffLimits } from './backoff.ts';
export { Backoff } from './backoff.ts';
export type { Clock } from './clock.ts';
export { backgroundClock, systemClock, timeUp } from './clock.ts';
export type { DeadlineOptions } from './deadline.ts';
export { withDeadline } from './deadline.ts';
export type { Channel } from './diagnostics.ts';
export { channel } from './diagnostics.ts';
export type { CallOutcome } from './errors.ts';
export { AshlarError, InvalidOptionError, MissingPeerError } from './errors.ts';
export { Heap } from './heap.ts';
export { jsonOf, type Keeps, lostIn } from './json.ts';
export { checkNames, readOptions, record, refuseMore } from './options.ts';
export type { Random } from './random.ts';
export { seededRandom } from './random.ts';
export type { Advice } from './refused.ts';
export { refused } from './refused.ts';
export type { Checked, NumberRange, Rule, RulesFor } from './rules.ts';
export {
  boolean,
  clock,
  defaultTo,
  durationMs,
  functionOf,
  integer,
  listOf,
  number,
  objectWith,
  oneOf,
  orFalse,
  random,
  required,
  signal,
  text,
} from './rules.ts';
export { onAbort } from './shared-signal.ts';
export { describe, isClass, misspelled, nearest } from './values.ts';
export { abortable, sleep } from './wait.ts';
