import {
  boolean,
  type Checked,
  durationMs,
  functionOf,
  integer,
  objectWith,
  type Rule,
  refused,
  required,
  text,
} from '@ashlar/core';
import type { Store } from '@ashlar/store';
import { type WallClock, wallClock } from '../clock.ts';
import { type ScheduleOptions, scheduleRules } from '../schedule/options.ts';
import type { Gate } from '../windows/gate.ts';
import { type WindowOptions, window } from '../windows/hours.ts';
import type { WorkWindow } from '../windows/window.ts';
import type { FenceRun, Work } from './context.ts';

export interface JobOptions extends ScheduleOptions {
  /** Identifies the job in the store: the same in every process. */
  readonly name: string;
  /** Where the processes meet. A crash of the store may take back what its `durability` says, and repeat a run. */
  readonly store: Store;
  readonly work: Work;
  /**
   * Runs work only in these hours, or in those of a profile: `profile.quiet()`. A run that is not finished when they end is told to
   * stop, and goes on from its checkpoint when they begin again. What `trigger` has launched works at any time. Default: always.
   */
  readonly window?: WindowOptions | WorkWindow;
  /** Slows runs and stops them while users are served: `gate()`. Default: nothing does. */
  readonly gate?: Gate;
  /**
   * The gate slows no run any more that is not finished so long after its tick, in milliseconds; where `progress` knows the total, no
   * run that would not be finished by then. Default: never.
   */
  readonly deadlineMs?: number;
  /** The longest that a run may take, in milliseconds; then its record is closed as `timed-out`, and its signal aborts. Default: no limit. */
  readonly timeoutMs?: number;
  /** For what the work writes to: called when a run has timed out, or was replaced. Default: nothing. */
  readonly fence?: FenceRun;
  /** How long work that was told to stop may still take before another run starts, in milliseconds. Default: 5 000. */
  readonly graceMs?: number;
  /** How long after a crash another process may take the run over, in milliseconds. Default: 15 000. */
  readonly leaseMs?: number;
  /** How often the store is asked for what other processes did: a pause, a trigger, a crash, in milliseconds. Default: 5 000. */
  readonly pollMs?: number;
  /** A run that ends so many processes is not taken over any more: it has failed. Default: 3. */
  readonly crashes?: number;
  /** `false`: this process launches nothing; it may trigger, pause and read what others do. Default: `true`. */
  readonly launches?: boolean;
  /** How many runs are remembered. Default: 50. */
  readonly history?: number;
  /** Default: the machine's, which keeps the process alive from `start` to `close`. */
  readonly clock?: WallClock;
}

const storeAdvice = 'write `memoryStore()` or `redisStore({ redis })`, of @ashlar/store';

type LimitRules = {
  readonly name: Rule<string>;
  readonly store: Rule<Store>;
  readonly window: Rule<WindowOptions | WorkWindow | undefined>;
  readonly gate: Rule<Gate | undefined>;
  readonly deadlineMs: Rule<number | undefined>;
  readonly timeoutMs: Rule<number>;
  readonly graceMs: Rule<number>;
  readonly leaseMs: Rule<number>;
  readonly pollMs: Rule<number>;
  readonly crashes: Rule<number>;
  readonly launches: Rule<boolean>;
  readonly history: Rule<number>;
  readonly clock: Rule<WallClock>;
};

const anyName = required(text(), 'it is the same in every process');
const jobName: Rule<string> = (value, option) => {
  const name = anyName(value, option);
  // A part of a key, and the next part must not look like another job's
  if (name.includes('/') || name.length > 200) {
    throw refused(option, 'at most 200 characters without a slash', value);
  }
  return name;
};

/** The rules of a job's options, but for its work: a `Precompute` has one of its own. */
export const jobRules: typeof scheduleRules & LimitRules = {
  ...scheduleRules,
  name: jobName,
  store: required(
    objectWith<Store>(['get', 'set', 'delete', 'list', 'watch', 'claim', 'release'], storeAdvice),
    storeAdvice,
  ),
  window,
  gate: objectWith<Gate>(['share'], 'write `gate()`'),
  deadlineMs: durationMs(),
  timeoutMs: durationMs(Number.POSITIVE_INFINITY, { above: 0, endless: true }),
  graceMs: durationMs(5_000),
  leaseMs: durationMs(15_000, { min: 100 }),
  pollMs: durationMs(5_000, { min: 10 }),
  crashes: integer(3, { min: 1 }),
  launches: boolean(true),
  history: integer(50, { min: 1, max: 10_000 }),
  clock: wallClock,
};

export const work: Rule<Work> = required(
  functionOf<Work>('write `async run => { … }`'),
  'write `async run => { … }`',
);

/** The rule of `fence`. */
export const fence: Rule<FenceRun> = (value, option) =>
  functionOf<FenceRun>()(value, option) ?? (async () => false);

export type JobSettings = Checked<typeof jobRules>;
