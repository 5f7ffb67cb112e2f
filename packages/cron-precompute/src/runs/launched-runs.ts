import type { Lease } from '@ashlar/store';
import { channels } from '../diagnostics.ts';
import { WindowClosedError } from '../errors.ts';
import { Attempt } from './attempt.ts';
import type { FenceRun, Work } from './context.ts';
import type { Ledger } from './ledger.ts';
import type { JobSettings } from './options.ts';
import { persist } from './persist.ts';
import {
  errorRecord,
  type RunId,
  type RunRecord,
  runKey,
  sameRun,
  type WantedRun,
  wanted,
} from './record.ts';
import type { Rules } from './state.ts';

export interface LaunchedRunsOptions {
  readonly settings: JobSettings;
  readonly rules: Rules;
  readonly ledger: Ledger;
  readonly work: Work;
  readonly fence: FenceRun;
  /** A run has ended here. */
  onEnded(): void;
}

/** The runs that this process has launched, from their claim to the end of their record, and who waits for the end of one. */
export class LaunchedRuns {
  readonly #options: LaunchedRunsOptions;
  readonly #active = new Map<string, { readonly attempt: Attempt; readonly ended: Promise<void> }>();
  readonly #waiting = new Map<string, Set<(record: RunRecord) => void>>();
  #closed: { readonly reason: unknown } | undefined;

  constructor(options: LaunchedRunsOptions) {
    this.#options = options;
  }

  get attempts(): Attempt[] {
    return Array.from(this.#active.values(), ({ attempt }) => attempt);
  }

  get isAnyAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  has(run: RunId): boolean {
    return this.#active.has(runKey(run));
  }

  /** Calls back with the record when the run ends here. Returns what ends the waiting. */
  whenEnded(run: RunId, tell: (record: RunRecord) => void): () => void {
    const key = runKey(run);
    const waiters = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiters.add(tell));
    return () => {
      waiters.delete(tell);
      if (waiters.size === 0) this.#waiting.delete(key);
    };
  }

  abort(reason: unknown): void {
    for (const attempt of this.attempts) attempt.abort(reason);
  }

  /** Tells the runs to stop, those too that are launched from now on, and waits for their end. */
  async close(reason: unknown): Promise<void> {
    this.#closed ??= { reason };
    this.abort(reason);
    await Promise.all(Array.from(this.#active.values(), ({ ended }) => ended));
  }

  /** The run must be claimed by the lease, which ends with it. */
  launch(run: WantedRun, lease: Lease): void {
    const { rules, ledger, fence, onEnded } = this.#options;
    const { clock, timeoutMs, graceMs, gate, deadlineMs } = this.#options.settings;
    const attempt = new Attempt({
      job: rules.job,
      run: wanted(run),
      lease,
      ledger,
      clock,
      timeoutMs,
      graceMs,
      gate,
      deadlineMs,
      fence,
    });
    const key = runKey(run);
    const ended = this.#run(attempt, lease).finally(() => {
      this.#active.delete(key);
      onEnded();
    });
    this.#active.set(key, { attempt, ended });
    if (this.#closed !== undefined) attempt.abort(this.#closed.reason);
  }

  /** Never rejects. */
  async #run(attempt: Attempt, lease: Lease): Promise<void> {
    const { run, token } = attempt;
    const who = { job: this.#options.rules.job, ...run, token };
    let record: RunRecord | undefined;
    let failure: { readonly error: unknown } | undefined;
    const ended = new AbortController();
    try {
      this.#endWithWindow(attempt, ended.signal);
      record = await attempt.begin();
      if (record === undefined) {
        if (channels.runStarted.hasSubscribers)
          channels.runStarted.publish({ ...who, attempt: attempt.number });
        record = await attempt.finish(this.#options.work);
      }
    } catch (error) {
      failure = { error };
    }
    try {
      await this.#settle(run, lease, record !== undefined, failure);
      if (record !== undefined) await this.#options.ledger.forget(this.#options.settings.history);
    } catch (error) {
      failure ??= { error };
    }
    ended.abort();
    await lease[Symbol.asyncDispose]().catch(() => {});
    if (channels.runEnded.hasSubscribers) {
      const { durationMs } = attempt;
      channels.runEnded.publish({
        ...who,
        durationMs,
        ...(record === undefined ? {} : { record }),
        ...failure,
      });
    }
    if (record !== undefined) for (const tell of this.#waiting.get(runKey(run)) ?? []) tell(record);
  }

  #endWithWindow(attempt: Attempt, ended: AbortSignal): void {
    const { clock } = this.#options.settings;
    const { window, job } = this.#options.rules;
    if (window === undefined || attempt.run.trigger === 'manual') return;
    const now = clock.wallMs();
    clock.sleep(window.closesAt(now) - now, ended).then(
      () => attempt.abort(new WindowClosedError(job)),
      () => {},
    );
  }

  /**
   * Takes the run out of the state, or leaves it there for others, with why it could not be recorded. Tries again while the lease
   * is held.
   */
  async #settle(
    run: RunId,
    lease: Lease,
    hasEnded: boolean,
    failure: { readonly error: unknown } | undefined,
  ): Promise<void> {
    const { ledger, settings } = this.#options;
    const token = String(lease.token);
    const take = () =>
      ledger.update(state => {
        const mine = state.running.find(other => sameRun(run, other) && other.token === token);
        if (mine === undefined) return state;
        const others = state.running.filter(other => other !== mine);
        if (hasEnded) return { ...state, running: others };
        const charge = failure && { crashes: mine.crashes + 1, failure: errorRecord(failure.error) };
        return { ...state, running: [...others, { ...mine, isYielded: true, ...charge }] };
      });
    if (!lease.signal.aborted) await persist(settings.clock, lease.signal, take);
  }
}
