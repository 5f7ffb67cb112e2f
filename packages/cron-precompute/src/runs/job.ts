import {
  abortable,
  type Checked,
  InvalidOptionError,
  integer,
  onAbort,
  readOptions,
  signal,
} from '@ashlar/core';
import { JobClosedError, RunNotFoundError } from '../errors.ts';
import { scheduleOf } from '../schedule/options.ts';
import { HourWindow } from '../windows/hours.ts';
import type { WorkWindow } from '../windows/window.ts';
import { type BackfillOptions, backfillRuns } from './backfill.ts';
import { Driver } from './driver.ts';
import { Ledger } from './ledger.ts';
import { fence, type JobOptions, type JobSettings, jobRules, work } from './options.ts';
import { type Progress, type RunId, type RunRecord, runKey, sameRun, type WantedRun } from './record.ts';
import { enqueue, firstState, type JobState, maxQueued, type Rules, rescheduled, resumed } from './state.ts';

export interface JobSnapshot {
  readonly name: string;
  readonly state: 'idle' | 'started' | 'closed';
  readonly schedule: string;
  /** When the next tick comes, as this process knows; milliseconds since 1970. */
  readonly nextAt: number | undefined;
  /** Started, and no tick comes any more: the years of the pattern have passed, or a blackout has no end. */
  readonly isOver: boolean;
  /** The runs in this process. */
  readonly running: readonly (RunId & { readonly durationMs: number; readonly progress?: Progress })[];
}

const rules = { ...jobRules, work, fence };
const triggerRules = { signal: signal() };
const nextCount = integer(1, { min: 1, max: 1_000 });

/**
 * A function on a schedule, in any number of processes that share a store: each tick is launched by one of them.
 *
 * A run is launched at least once, unless the rules for missed and overlapping ticks say otherwise: its start is written before
 * its work begins, and when its process dies, another takes it over from its last checkpoint. So the work may be repeated, and
 * after a stall two attempts may even overlap; the token of the later one is greater. Present it to what you write to.
 *
 * Which ticks there are goes by the clocks of the processes; that each is launched by one, by the store alone.
 */
export class Job implements AsyncDisposable {
  readonly name: string;
  readonly #settings: JobSettings;
  readonly #rules: Rules;
  readonly #ledger: Ledger;
  readonly #closing = new AbortController();
  readonly #driver: Driver;
  #starting: Promise<void> | undefined;

  /** @throws InvalidOptionError, also for a schedule that never comes */
  constructor(options: JobOptions) {
    const checked: Checked<typeof rules> = readOptions('Job', options, rules);
    const { name, store, misfire, overlap, jitterMs } = checked;
    this.name = name;
    this.#settings = checked;
    this.#ledger = new Ledger(store, name);
    const schedule = scheduleOf(checked);
    const window = windowOf(checked, schedule.timeZone);
    if (checked.deadlineMs !== undefined && checked.gate === undefined) {
      throw new InvalidOptionError('deadlineMs', '`deadlineMs` overrides a `gate`, and there is none');
    }
    this.#rules = { job: name, schedule, misfire, overlap, jitterMs, window };
    this.#driver = new Driver({
      settings: checked,
      rules: this.#rules,
      ledger: this.#ledger,
      work: checked.work,
      fence: checked.fence,
      register: () => this.#register(),
    });
  }

  /**
   * Registers the job, and launches its ticks from now on: those that were missed while no process ran, by their rule. The first
   * process ever begins with the next tick. Rejects with the store's error. May be called again.
   */
  start(): Promise<void> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /**
   * Launches a run now, in one of the processes, and resolves with its record when it has ended, whatever its status is. Also while
   * the job is paused, and in a process that has not called `start`.
   */
  async trigger(options: { readonly signal?: AbortSignal } = {}): Promise<RunRecord> {
    const { signal } = readOptions('trigger', options, triggerRules);
    return this.triggerAfter(-Infinity, signal);
  }

  /** As `trigger`, for a data set: later than this time, as what was published for a later one would stay. @internal */
  async triggerAfter(
    time: number,
    signal: AbortSignal | undefined,
    wanted: Pick<WantedRun, 'since'> = {},
  ): Promise<RunRecord> {
    this.#assertOpen();
    await this.#register();
    const run = await this.#enqueueAfter(time, wanted);
    return abortable(this.#ended(run, signal), signal);
  }

  /**
   * The record of a run when it has ended, in whichever process: of one that `backfill` has returned, with the trigger `backfill`.
   * Meanwhile runs that wait are launched here too, also without `start`.
   *
   * @throws RunNotFoundError for one that there never was, or that is remembered no longer
   */
  async ended(run: RunId, options: { readonly signal?: AbortSignal } = {}): Promise<RunRecord> {
    const { signal } = readOptions('ended', options, triggerRules);
    this.#assertOpen();
    return abortable(this.#ended(run, signal), signal);
  }

  /**
   * Launches the ticks of a range again, one after the other, whenever nothing else waits. Returns them; with `dryRun`, that is all.
   *
   * @throws InvalidOptionError
   */
  async backfill(options: BackfillOptions): Promise<Date[]> {
    const { runs, dryRun } = backfillRuns(this.#rules.schedule, options);
    this.#assertOpen();
    if (!dryRun && runs.length > 0) {
      await this.#register();
      for (const run of runs) await this.#ledger.renew(run);
      await this.#ledger.update(state => {
        const known = new Set([...state.queue, ...state.running].map(runKey));
        const added = runs.filter(run => !known.has(runKey(run)));
        const waiting = state.queue.filter(({ trigger }) => trigger === 'backfill').length + added.length;
        if (waiting > maxQueued) {
          throw new InvalidOptionError('to', `${waiting} back-fills would wait, at most ${maxQueued} may`);
        }
        return { ...state, queue: enqueue(state.queue, added) };
      });
      this.#driver.wake();
    }
    return runs.map(({ scheduledAt }) => new Date(scheduledAt));
  }

  /** No tick is launched in any process until `resume`. A run goes on. */
  async pause(): Promise<void> {
    await this.#register();
    await this.#ledger.update(state => (state.isPaused ? state : { ...state, isPaused: true }));
  }

  /**
   * Ends the pause. The ticks in it are not launched. Also starts the schedule from now where a process whose clock was more than
   * a minute ahead has launched ticks that are yet to come.
   */
  async resume(): Promise<void> {
    await this.#register();
    const nowMs = this.#settings.clock.wallMs();
    await this.#ledger.update(state => resumed(state, nowMs, this.#rules));
    this.#driver.wake();
  }

  /** The runs that are remembered, the latest first. */
  history(): Promise<RunRecord[]> {
    return this.#ledger.history();
  }

  /** What all processes share; `undefined` before any has started. */
  async state(): Promise<JobState | undefined> {
    return (await this.#ledger.state())?.value;
  }

  /** The next times of the schedule. @throws InvalidOptionError */
  next(count = 1): Date[] {
    const dates: Date[] = [];
    let at: number | undefined = this.#settings.clock.wallMs();
    for (let left = nextCount(count, 'count'); left > 0; left--) {
      at = this.#rules.schedule.next(at);
      if (at === undefined) break;
      dates.push(new Date(at));
    }
    return dates;
  }

  snapshot(): JobSnapshot {
    const { attempts, isStarted, nextAt, isOver } = this.#driver;
    const running = attempts.map(({ run, durationMs, progress }) => {
      return { ...run, durationMs, ...(progress === undefined ? {} : { progress }) };
    });
    const state = this.#closing.signal.aborted ? 'closed' : isStarted ? 'started' : 'idle';
    return { name: this.name, state, schedule: this.#rules.schedule.text, nextAt, isOver, running };
  }

  /** Launches nothing more, tells the runs here to stop, and leaves those that do not end to other processes. */
  async close(): Promise<void> {
    this.#closing.abort(new JobClosedError(this.name));
    await this.#driver.close(this.#closing.signal.reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    this.#closing.signal.throwIfAborted();
  }

  async #start(): Promise<void> {
    this.#assertOpen();
    if (!this.#settings.launches) return;
    await this.#register();
    this.#driver.start();
  }

  /** However many processes do it at once, there is one state. Its watermark stays as it is. */
  async #register(): Promise<void> {
    this.#assertOpen();
    const { schedule } = this.#rules;
    for (;;) {
      const entry = await this.#ledger.state();
      if (entry?.value.schedule === schedule.text) return;
      const nowMs = this.#settings.clock.wallMs();
      const state =
        entry === undefined ? firstState(schedule, nowMs) : rescheduled(entry.value, schedule, nowMs);
      if (await this.#ledger.setState(state, entry?.version ?? 'absent')) return;
    }
  }

  /** A run of now, and later than this time and every run that was wanted before, also where this clock is behind. */
  async #enqueueAfter(time: number, wanted: Pick<WantedRun, 'since'>): Promise<RunId> {
    const nowMs = Math.floor(this.#settings.clock.wallMs());
    for (;;) {
      const { value: state, version } = (await this.#ledger.state())!;
      const { watermark, queue, running } = state;
      const before = Math.max(
        time,
        watermark,
        ...[...queue, ...running].map(({ scheduledAt }) => scheduledAt),
      );
      // Of whole milliseconds, as a date is, though the watermark may be of a clock that has parts of them
      const scheduledAt = Math.max(nowMs, Math.floor(before) + 1);
      let run: WantedRun = { ...wanted, scheduledAt, trigger: 'manual' };
      while ((await this.#ledger.record(run)) !== undefined) {
        run = { ...run, scheduledAt: run.scheduledAt + 1 };
      }
      if (await this.#ledger.setState({ ...state, queue: enqueue(queue, [run]) }, version)) return run;
    }
  }

  /** Resolves when the run has ended, in whichever process. */
  async #ended(run: RunId, signal: AbortSignal | undefined): Promise<RunRecord> {
    const { clock, pollMs } = this.#settings;
    const leaving = new AbortController();
    const leave = (reason: unknown) => leaving.abort(reason);
    const unlink = [this.#closing.signal, signal].map(each => each && onAbort(each, leave));
    let stop: (() => void) | undefined;
    const here = new Promise<RunRecord>(resolve => {
      stop = this.#driver.whenEnded(run, resolve);
    });
    try {
      for (;;) {
        // The state first: a run leaves it only after its record is written
        const state = await this.state();
        const known = await this.#ledger.record(run);
        if (known !== undefined && known.value.status !== 'running') return known.value;
        const isWanted = [...(state?.queue ?? []), ...(state?.running ?? [])].some(other =>
          sameRun(run, other),
        );
        if (known === undefined && !isWanted)
          throw new RunNotFoundError(this.name, new Date(run.scheduledAt));
        const record = await Promise.race([here, clock.sleep(pollMs, leaving.signal)]);
        if (record !== undefined) return record;
      }
    } finally {
      leaving.abort();
      stop?.();
      for (const each of unlink) each?.();
    }
  }
}

function windowOf({ window }: JobSettings, timeZone: string): WorkWindow | undefined {
  if (window === undefined || (typeof window === 'object' && 'isOpen' in window)) return window;
  return new HourWindow(window, timeZone);
}
