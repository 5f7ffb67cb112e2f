export type { AsyncHooks, AsyncStorage } from './async-hooks.ts';
export { asyncHooks } from './async-hooks.ts';
export type { Channel } from './diagnostics.ts';
export { channel } from './diagnostics.ts';
export type { CallOutcome } from './errors.ts';
export { AshlarError, InvalidOptionError, MissingPeerError } from './errors.ts';
export { Heap } from './heap.ts';
export { jsonOf, type Keeps, lostIn } from './json.ts';
export { checkNames, readOptions, record, refuseMore } from './options/options.ts';
export type { Advice } from './options/refused.ts';
export { refused } from './options/refused.ts';
export type { Checked, NumberRange, Rule, RulesFor } from './options/rules.ts';
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
} from './options/rules.ts';
export { describe, isClass, misspelled, nearest } from './options/values.ts';
export type { Random } from './random.ts';
export { seededRandom } from './random.ts';
export { withoutCredentials, withoutSecrets } from './secrets.ts';
export { Alarm } from './time/alarm.ts';
export type { BackoffLimits } from './time/backoff.ts';
export { Backoff } from './time/backoff.ts';
export type { Clock } from './time/clock.ts';
export { backgroundClock, systemClock, timeUp } from './time/clock.ts';
export type { DeadlineOptions } from './time/deadline.ts';
export { withDeadline } from './time/deadline.ts';
export { onAbort } from './time/shared-signal.ts';
export { abortable, sleep } from './time/wait.ts';
