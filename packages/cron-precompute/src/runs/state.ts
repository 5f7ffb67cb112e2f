import { isOfWrongClock } from '../clock.ts';
import { jitterOf } from '../schedule/jitter.ts';
import { dueTicks, type Misfire } from '../schedule/misfire.ts';
import type { Overlap } from '../schedule/options.ts';
import type { Schedule } from '../schedule/schedule.ts';
import type { WorkWindow } from '../windows/window.ts';
import type { RecordedError, RunId, WantedRun } from './record.ts';

/** A run that has begun and has not ended, with the process that has it or had it. */
export interface RunningRun extends WantedRun {
  readonly token: string;
  /** Attempts that ended without a word. A process that closes says one. */
  readonly crashes: number;
  readonly isYielded: boolean;
  /** Why an attempt could not be recorded. It is counted with the crashes. */
  readonly failure?: RecordedError;
}

/** What all processes share of a job, in one value of the store, which changes by compare-and-set alone. */
export interface JobState {
  /** The last tick that was decided: launched or not, never again. */
  readonly watermark: number;
  /** The first tick after that, by the schedule of the process that decided; absent when there is none. */
  readonly nextTick?: number;
  /** The text of the schedule, as registered last. */
  readonly schedule: string;
  readonly isPaused: boolean;
  /** The greatest token of any run. A claim must be above it, also after the store has lost its history of claims. */
  readonly fence: string;
  readonly running: readonly RunningRun[];
  /** To be launched, in this order. */
  readonly queue: readonly WantedRun[];
  /** Ticks that were not launched: too late, while another ran, while the job was paused. */
  readonly missed: { readonly late: number; readonly overlap: number; readonly paused: number };
}

/** What decides about ticks. */
export interface Rules {
  readonly job: string;
  readonly schedule: Schedule;
  readonly misfire: Misfire;
  readonly overlap: Overlap;
  readonly jitterMs: number;
  readonly window: WorkWindow | undefined;
}

/** More ticks than these do not wait. */
export const maxQueued = 1_000;

/** Decides about no tick up to and with this time. */
function decidedUpTo(schedule: Schedule, watermark: number): Pick<JobState, 'watermark' | 'nextTick'> {
  const nextTick = schedule.next(watermark);
  return nextTick === undefined ? { watermark } : { watermark, nextTick };
}

/**
 * The state under another schedule. It begins now: the times that it would have had before are no missed ticks, unless one is
 * overdue by the schedule before it.
 */
export function rescheduled(state: JobState, schedule: Schedule, nowMs: number): JobState {
  const { nextTick, ...others } = state;
  const isOverdue = nextTick !== undefined && nextTick <= nowMs;
  const upTo = isOverdue ? state.watermark : Math.max(state.watermark, nowMs);
  return { ...others, ...decidedUpTo(schedule, upTo), schedule: schedule.text };
}

export function firstState(schedule: Schedule, nowMs: number): JobState {
  const missed = { late: 0, overlap: 0, paused: 0 };
  return {
    ...decidedUpTo(schedule, nowMs),
    schedule: schedule.text,
    isPaused: false,
    fence: '0',
    running: [],
    queue: [],
    missed,
  };
}

/**
 * Decides about every tick whose time has come: to the queue, or not launched. Pure, so that any process may do it and the first
 * one to write it is right.
 *
 * @param isBusy whether a run is in the way. A run whose process is gone is not: it did not overlap with what came since.
 */
export function decide(state: JobState, nowMs: number, rules: Rules, isBusy: boolean): JobState {
  const delay = delayOf(rules);
  const due = dueTicks(rules.schedule, state.watermark, nowMs, rules.misfire, delay);
  if (due === undefined) return state;
  const { late, overlap, paused } = state.missed;
  const { nextTick: _, ...others } = state;
  const decided = { ...others, ...decidedUpTo(rules.schedule, due.upTo) };
  const all = due.launch.length + due.missed;
  if (state.isPaused) return { ...decided, missed: { late, overlap, paused: paused + all } };
  if (
    rules.overlap === 'forbid' &&
    isBusy &&
    (state.running.some(isNoBackfill) || state.queue.some(isNoBackfill))
  ) {
    return { ...decided, missed: { late: late + due.missed, overlap: overlap + due.launch.length, paused } };
  }
  const replaces = rules.overlap === 'replace' && isBusy && due.launch.length > 0;
  const waiting = replaces ? state.queue.filter(({ trigger }) => trigger !== 'schedule') : state.queue;
  const ticks = due.launch.map(scheduledAt => ({ scheduledAt, trigger: 'schedule' as const }));
  const added = (replaces ? ticks.slice(-1) : ticks).slice(
    0,
    Math.max(0, maxQueued - waiting.filter(isNoBackfill).length),
  );
  const left = state.queue.length - waiting.length + ticks.length - added.length;
  return {
    ...decided,
    queue: enqueue(waiting, added),
    missed: { late: late + due.missed, overlap: overlap + left, paused },
  };
}

/**
 * The state after a pause, whose ticks are not launched. A clock that was far ahead has decided about ticks that are yet to
 * come: then the schedule begins now.
 */
export function resumed(state: JobState, nowMs: number, rules: Rules): JobState {
  if (isOfWrongClock(state.watermark, nowMs)) {
    const { nextTick: _, ...others } = state;
    return { ...others, ...decidedUpTo(rules.schedule, nowMs), isPaused: false };
  }
  return state.isPaused ? { ...decide(state, nowMs, rules, false), isPaused: false } : state;
}

/** Back-fills wait until nothing else does. */
export function enqueue(queue: readonly WantedRun[], added: readonly WantedRun[]): readonly WantedRun[] {
  const all = [...queue, ...added];
  return [...all.filter(isNoBackfill), ...all.filter(run => !isNoBackfill(run))];
}

/** A back-fill is in no tick's way: one that comes meanwhile waits for it. */
function isNoBackfill({ trigger }: RunId): boolean {
  return trigger !== 'backfill';
}

/** Which runs may work now. The window is asked once, however many runs wait. */
export function workable(nowMs: number, { window }: Rules): (run: RunId) => boolean {
  const isOpen = window === undefined || window.isOpen(nowMs);
  return ({ trigger }) => isOpen || trigger === 'manual';
}

/** When the next tick of the schedule is launched; `undefined` when there is none. */
export function nextLaunch(state: JobState, rules: Rules): number | undefined {
  const tick = rules.schedule.next(state.watermark);
  return tick === undefined ? undefined : tick + delayOf(rules)(tick);
}

/** A tick is launched before the next one comes: none may be hidden by one after it. */
function delayOf({ job, schedule, jitterMs }: Rules): (tick: number) => number {
  if (jitterMs === 0) return () => 0;
  return tick => jitterOf(job, tick, Math.min(jitterMs, (schedule.next(tick) ?? Infinity) - tick));
}
