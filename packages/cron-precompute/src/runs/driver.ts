import { Backoff } from '@ashlar/core';
import { Lease, StoreClosedError } from '@ashlar/store';
import { channels } from '../diagnostics.ts';
import { isRetryable, RunReplacedError } from '../errors.ts';
import type { Attempt } from './attempt.ts';
import type { FenceRun, Work } from './context.ts';
import { LaunchedRuns } from './launched-runs.ts';
import type { Ledger } from './ledger.ts';
import type { JobSettings } from './options.ts';
import { bare, type RunId, type RunRecord, sameRun, type WantedRun, wanted } from './record.ts';
import { decide, type JobState, nextLaunch, type Rules, type RunningRun, workable } from './state.ts';

export interface DriverOptions {
  readonly settings: JobSettings;
  readonly rules: Rules;
  readonly ledger: Ledger;
  readonly work: Work;
  readonly fence: FenceRun;
  /** Makes the state when there is none. */
  register(): Promise<void>;
}

const again = { firstMs: 100, maxMs: 5_000 };

/** What one process does for a job: it looks at the state, decides about ticks, launches runs, and takes over those of the dead. */
export class Driver {
  readonly #options: DriverOptions;
  readonly #runs: LaunchedRuns;
  #isStarted = false;
  #isClosed = false;
  #driving: Promise<void> | undefined;
  #nap: AbortController | undefined;
  #isAwake = false;
  #nextAt: number | undefined;
  #isOver = false;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#runs = new LaunchedRuns({ ...options, onEnded: () => this.wake() });
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  get nextAt(): number | undefined {
    return this.#nextAt;
  }

  /** Whether ticks are launched here, and none comes any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The runs in this process. */
  get attempts(): Attempt[] {
    return this.#runs.attempts;
  }

  /** Ticks are launched from now on. */
  start(): void {
    this.#isStarted = true;
    this.wake();
  }

  /** Calls back with the record when the run ends in this process; while any waits, runs are launched here without `start`. */
  whenEnded(run: RunId, tell: (record: RunRecord) => void): () => void {
    const forget = this.#runs.whenEnded(run, tell);
    this.wake();
    return forget;
  }

  /** Launches nothing more, tells the runs here to stop, and waits for their end. */
  async close(reason: unknown): Promise<void> {
    this.#isClosed = true;
    this.#nap?.abort();
    await Promise.all([this.#runs.close(reason), this.#driving]);
    // One may have been launched by the last look
    await this.#runs.close(reason);
  }

  /** Looks at once for what is to do. */
  wake(): void {
    if (this.#isClosed || !this.#options.settings.launches) return;
    this.#isAwake = true;
    this.#nap?.abort();
    this.#driving ??= this.#drive().finally(() => {
      this.#driving = undefined;
    });
  }

  async #drive(): Promise<void> {
    const { clock, pollMs } = this.#options.settings;
    const backoff = new Backoff(again);
    while (!this.#isClosed && (this.#isStarted || this.#runs.isAnyAwaited)) {
      this.#isAwake = false;
      let restMs: number;
      try {
        restMs = Math.min(await this.#step(), pollMs);
        backoff.reset();
      } catch (error) {
        if (error instanceof StoreClosedError) return;
        if (channels.failed.hasSubscribers) channels.failed.publish({ job: this.#options.rules.job, error });
        restMs = 10 + backoff.nextMs();
      }
      if (this.#isAwake || restMs <= 0 || this.#isClosed) continue;
      this.#nap = new AbortController();
      await clock.sleep(restMs, this.#nap.signal).catch(() => {});
    }
  }

  /** Does one thing that is to do, and returns how long to rest before the next look. */
  async #step(): Promise<number> {
    const { settings, rules } = this.#options;
    const { clock, overlap, leaseMs } = settings;
    await rules.window?.refresh?.();
    const entry = await this.#options.ledger.state();
    if (entry === undefined) {
      await this.#options.register(); // The store was emptied
      return 0;
    }
    const state = entry.value;
    if (overlap === 'replace' && state.queue.some(({ trigger }) => trigger !== 'backfill')) {
      this.#runs.abort(new RunReplacedError(rules.job));
    }
    const nowMs = clock.wallMs();
    const mayWork = workable(nowMs, rules);
    for (const run of state.running) {
      if (!mayWork(run) || this.#runs.has(run)) continue;
      if (await this.#takeOver(run, state)) return 0;
    }
    const isBusy = state.running.length > 0;
    const decided = this.#isStarted ? decide(state, nowMs, rules, isBusy) : state;
    const nextAt = nextLaunch(decided, rules);
    this.#nextAt = nextAt;
    this.#tellWhetherOver();
    const first = decided.queue.find(mayWork);
    if (first !== undefined && (!isBusy || overlap === 'allow')) {
      const isLaunched = await this.#claimed(first, state, async lease => {
        const running = [...decided.running, runningRun(first, lease, 0)];
        const fence = String(lease.token);
        const queue = decided.queue.filter(run => run !== first);
        return this.#options.ledger.setState({ ...decided, queue, running, fence }, entry.version);
      });
      // Another process has the claim: it launches, or has just ended a run
      return isLaunched === undefined ? leaseMs / 10 : 0;
    }
    if (decided !== state) {
      await this.#options.ledger.setState(decided, entry.version);
      return 0;
    }
    // Without `start` its ticks are not launched here, however many are due
    const launchAt = this.#isStarted ? (nextAt ?? Infinity) : Infinity;
    // Nothing was done: a window of the user's may say that it opens now
    return Math.max(1, Math.min(launchAt, rules.window?.opensAt(nowMs) ?? Infinity) - nowMs);
  }

  #tellWhetherOver(): void {
    const { job, schedule } = this.#options.rules;
    const isOver = this.#isStarted && this.#nextAt === undefined;
    if (isOver && !this.#isOver && channels.scheduleOver.hasSubscribers) {
      channels.scheduleOver.publish({ job, schedule: schedule.text });
    }
    this.#isOver = isOver;
  }

  /** Goes on with a run whose process is gone. Whether there is something new to look at. */
  async #takeOver(orphan: RunningRun, { fence }: JobState): Promise<boolean> {
    const { clock, crashes: most } = this.#options.settings;
    const done = await this.#claimed(orphan, { fence }, async lease => {
      const entry = await this.#options.ledger.state();
      const known = entry?.value.running.find(run => sameRun(run, orphan));
      if (entry === undefined || known === undefined || known.token !== orphan.token) return false;
      const crashes = known.crashes + (known.isYielded ? 0 : 1);
      const others = entry.value.running.filter(run => run !== known);
      const isBusy = others.length > 0;
      const state = this.#isStarted
        ? decide(entry.value, clock.wallMs(), this.#options.rules, isBusy)
        : entry.value;
      const isOver = crashes >= most;
      if (isOver) await this.#giveUp({ ...known, crashes }, lease);
      const running = isOver ? others : [...others, { ...known, ...runningRun(orphan, lease, crashes) }];
      const isSet = await this.#options.ledger.setState(
        { ...state, running, fence: String(lease.token) },
        entry.version,
      );
      return isSet && !isOver;
    });
    return done !== undefined;
  }

  /** What the store refuses to record is told, and does not keep later runs waiting. */
  async #giveUp(run: RunningRun, { token, holder }: Lease): Promise<void> {
    const { ledger, rules, settings } = this.#options;
    const { job } = rules;
    const { crashes: attempt, failure } = run;
    const endedAt = settings.clock.wallMs();
    const known = await ledger.record(run);
    if (known !== undefined && known.value.status !== 'running') return;
    const who = { job, ...wanted(run), token: String(token), holder, attempt, startedAt: endedAt };
    const message =
      failure === undefined
        ? `the process ended during the run, ${attempt} times`
        : `the run could not be recorded: ${failure.message}`;
    const error = { ...(failure ?? { name: 'Error' }), message };
    const record: RunRecord = { ...who, ...known?.value, status: 'failed', endedAt, error };
    const version = known?.version ?? 'absent';
    try {
      await ledger.setRecord(record, version).catch(async (refusal: unknown) => {
        if (isRetryable(refusal)) throw refusal;
        await ledger.setRecord(bare(record, refusal), version);
      });
    } catch (refusal) {
      if (isRetryable(refusal)) throw refusal;
      if (channels.failed.hasSubscribers) channels.failed.publish({ job, error: refusal });
    }
  }

  /**
   * Claims the run and launches it if `begin` says so, and frees the claim otherwise. `undefined` when another process has the
   * claim, else what `begin` said.
   */
  async #claimed(
    run: WantedRun,
    { fence }: Pick<JobState, 'fence'>,
    begin: (lease: Lease) => Promise<boolean>,
  ): Promise<boolean | undefined> {
    const { store, leaseMs, clock, overlap } = this.#options.settings;
    const name = this.#options.ledger.leaseName(overlap === 'allow' ? run : undefined);
    const lease = await Lease.tryAcquire(store, name, { ttlMs: leaseMs, clock, above: BigInt(fence) });
    if (lease === undefined) return undefined;
    let isBegun = false;
    try {
      isBegun = await begin(lease);
    } finally {
      if (!isBegun) await lease[Symbol.asyncDispose]();
    }
    if (isBegun) this.#runs.launch(run, lease);
    return isBegun;
  }
}

function runningRun(run: WantedRun, lease: Lease, crashes: number): RunningRun {
  return { ...wanted(run), token: String(lease.token), crashes, isYielded: false };
}
