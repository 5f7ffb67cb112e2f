import { jsonOf, onAbort } from '@ashlar/core';
import { type Lease, LeaseLostError, type Version } from '@ashlar/store';
import type { WallClock } from '../clock.ts';
import { channels } from '../diagnostics.ts';
import {
  JobClosedError,
  RunFencedError,
  RunReplacedError,
  RunTimeoutError,
  SupersededError,
  ValidationError,
  WindowClosedError,
} from '../errors.ts';
import type { Gate } from '../windows/gate.ts';
import { Pacer } from '../windows/pacer.ts';
import type { FenceRun, RunContext, Work } from './context.ts';
import type { Ledger } from './ledger.ts';
import { persist } from './persist.ts';
import { progressOf } from './progress.ts';
import {
  bare,
  errorRecord,
  type Progress,
  type RunRecord,
  type RunStatus,
  type WantedRun,
} from './record.ts';

export interface AttemptOptions {
  readonly job: string;
  readonly run: WantedRun;
  readonly lease: Lease;
  readonly ledger: Ledger;
  readonly clock: WallClock;
  readonly timeoutMs: number;
  readonly fence: FenceRun;
  /** How long work that was told to stop may take, in milliseconds. */
  readonly graceMs: number;
  readonly gate: Gate | undefined;
  readonly deadlineMs: number | undefined;
}

type Settled = { readonly result: unknown } | { readonly error: unknown };

/** One run in this process, under a lease. Every write to its record is refused once another attempt has written there. */
export class Attempt {
  readonly #options: AttemptOptions;
  readonly #controller = new AbortController();
  readonly #startedAt: number;
  #record: RunRecord | undefined;
  #version: Version | 'absent' = 'absent';
  #writing: Promise<unknown> = Promise.resolve();
  #progress: Progress | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  get run(): WantedRun {
    return this.#options.run;
  }

  get token(): bigint {
    return this.#options.lease.token;
  }

  /** 1, and one more with every process that took the run over; 0 before it has begun. */
  get number(): number {
    return this.#record?.attempt ?? 0;
  }

  get progress(): Progress | undefined {
    return this.#progress;
  }

  get durationMs(): number {
    return this.#options.clock.now() - this.#startedAt;
  }

  /** Tells the work to stop. The first reason stays. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The record of an earlier attempt that has ended without leaving the state, or `undefined` when the work is to be done. */
  async begin(): Promise<RunRecord | undefined> {
    const { job, run, lease, ledger, clock } = this.#options;
    // A store that is away for a moment is no crash
    const known = await persist(clock, lease.signal, () => ledger.record(run));
    if (known !== undefined && known.value.status !== 'running') return known.value;
    const before = known?.value;
    const { token, holder } = lease;
    const who = { job, ...run, status: 'running', token: String(token), holder } as const;
    this.#version = known?.version ?? 'absent';
    const record = {
      ...who,
      attempt: (before?.attempt ?? 0) + 1,
      startedAt: before?.startedAt ?? clock.wallMs(),
      ...(before?.cursor === undefined ? {} : { cursor: before.cursor }),
    };
    await persist(clock, lease.signal, () => this.#write(record));
    return undefined;
  }

  /**
   * Does the work and records its end. `undefined` when the run has not ended: it is left to another process, as the lease is
   * lost or the job closed. Waits for work that was told to stop for `graceMs`, and no longer.
   */
  async finish(work: Work): Promise<RunRecord | undefined> {
    const { job, lease, timeoutMs, clock, graceMs } = this.#options;
    const done = new AbortController();
    const unlink = onAbort(lease.signal, reason => this.abort(reason));
    const { signal } = this.#controller;
    const working = this.#settle(work);
    try {
      const timer = timeoutMs === Infinity ? undefined : clock.sleep(timeoutMs, done.signal);
      timer?.then(
        () => this.abort(new RunTimeoutError(job, timeoutMs)),
        () => {},
      );
      let settled = await Promise.race([working, aborted(signal, done.signal)]);
      // It is fenced and its record is closed before anything waits, so that what the work still does is refused
      if (signal.reason instanceof RunTimeoutError) await this.#stop('timed-out', signal.reason);
      settled ??= await Promise.race([working, clock.sleep(graceMs, done.signal).then(() => undefined)]);
      return await this.#conclude(settled);
    } finally {
      done.abort();
      unlink();
      this.#controller.abort(new RunFencedError(job, lease.token));
    }
  }

  /** Of a run that was told to stop: what it still writes is refused, and it is recorded as what it has done. */
  async #stop(status: 'timed-out' | 'replaced', error: unknown): Promise<RunRecord | undefined> {
    const { run, lease, clock, fence } = this.#options;
    const { token, holder } = lease;
    const scheduledAt = new Date(run.scheduledAt);
    const isDone = await persist(clock, lease.signal, () => fence({ scheduledAt, token, holder }));
    return isDone ? this.#end('succeeded', { result: undefined }) : this.#end(status, { error });
  }

  async #conclude(settled: Settled | undefined): Promise<RunRecord | undefined> {
    const { lease } = this.#options;
    const { reason } = this.#controller.signal;
    if (lease.signal.aborted) return undefined;
    if (reason instanceof RunTimeoutError) return this.#record;
    if (settled !== undefined && 'result' in settled) return this.#end('succeeded', settled);
    if (reason instanceof JobClosedError || reason instanceof WindowClosedError) return undefined;
    if (reason instanceof RunReplacedError) return this.#stop('replaced', reason);
    const error = settled?.error ?? reason;
    if (error instanceof RunFencedError || error instanceof LeaseLostError) return undefined;
    return this.#end(statusOf(error), { error });
  }

  async #settle(work: Work): Promise<Settled> {
    try {
      return { result: await work(this.#context()) };
    } catch (error) {
      return { error };
    }
  }

  #context(): RunContext {
    const { job, run, lease, clock, gate, deadlineMs = Infinity } = this.#options;
    const { signal } = this.#controller;
    // Its deadline is a time of day, its waits go by the other clock
    const deadlineAt = clock.now() + run.scheduledAt + deadlineMs - clock.wallMs();
    const pacer = new Pacer({ gate, clock, deadlineAt, signal });
    const assertCurrent = () => {
      signal.throwIfAborted();
      lease.assertHeld();
    };
    return {
      job,
      scheduledAt: new Date(run.scheduledAt),
      trigger: run.trigger,
      ...(run.since === undefined ? {} : { wantedSince: new Date(run.since) }),
      attempt: this.#record!.attempt,
      token: lease.token,
      holder: lease.holder,
      signal,
      cursor: this.#record!.cursor,
      assertCurrent,
      get isTurnDue() {
        return pacer.isDue;
      },
      turn: () => pacer.turn(),
      progress: (done, total) => {
        this.#progress = progressOf(done, total, this.durationMs);
        pacer.progress(done, total);
      },
      checkpoint: async cursor => {
        assertCurrent();
        await this.#write({ ...this.#record!, cursor });
      },
    };
  }

  /** @throws the store's error, when it refuses the record even without what the work has put there */
  async #end(status: RunStatus, settled: Settled): Promise<RunRecord | undefined> {
    const { clock, lease } = this.#options;
    const what = 'error' in settled ? { error: errorRecord(settled.error) } : kept(settled.result);
    const record = { ...this.#record!, status, endedAt: clock.wallMs(), ...what };
    const write = (record: RunRecord) => persist(clock, lease.signal, () => this.#write(record));
    try {
      await write(record).catch(async (error: unknown) => {
        if (error instanceof RunFencedError || lease.signal.aborted) throw error;
        this.#progress = undefined;
        await write(bare(record, error));
      });
    } catch (error) {
      if (error instanceof RunFencedError || lease.signal.aborted) return undefined;
      throw error;
    }
    const written = this.#record!;
    if (written.resultDropped !== undefined && channels.resultDropped.hasSubscribers) {
      const { job, run } = this.#options;
      const error = new Error(written.resultDropped);
      channels.resultDropped.publish({ job, ...run, token: lease.token, error });
    }
    return written;
  }

  /** One write after the other, each upon the version that the one before has made. */
  #write(record: RunRecord): Promise<void> {
    const writing = this.#writing.then(async () => {
      const { ledger, job, lease } = this.#options;
      if (this.#record !== undefined && this.#record.status !== 'running') {
        throw new RunFencedError(job, lease.token);
      }
      const progress = this.#progress === undefined ? {} : { progress: this.#progress };
      const full = { ...record, ...progress };
      const version = (await ledger.setRecord(full, this.#version)) ?? (await this.#mine(full));
      this.#version = version;
      this.#record = full;
    });
    this.#writing = writing.catch(() => {});
    return writing;
  }

  /** After a write whose answer was lost: the version, when the record in the store is this one. @throws RunFencedError */
  async #mine(record: RunRecord): Promise<Version> {
    const { ledger, job, lease } = this.#options;
    const known = await ledger.record(record);
    if (known !== undefined && jsonOf(known.value) === jsonOf(record)) return known.version;
    if (known?.value.token === record.token && known.value.status === 'running') {
      const version = await ledger.setRecord(record, known.version);
      if (version !== undefined) return version;
    }
    throw new RunFencedError(job, lease.token);
  }
}

/** Settles with `undefined` when the first signal aborts, and leaves nothing once the second has. */
function aborted(signal: AbortSignal, done: AbortSignal): Promise<undefined> {
  return new Promise(resolve => {
    const unlink = onAbort(signal, () => resolve(undefined));
    onAbort(done, unlink);
  });
}

function statusOf(error: unknown): RunStatus {
  if (error instanceof SupersededError) return 'superseded';
  return error instanceof ValidationError ? 'rejected' : 'failed';
}

const maxResult = 10_000;

function kept(result: unknown): Pick<RunRecord, 'result' | 'resultDropped'> {
  if (result === undefined) return {};
  try {
    const { length } = jsonOf(result);
    if (length <= maxResult) return { result };
    return { resultDropped: `it has ${length} characters of JSON; at most ${maxResult} are kept` };
  } catch (error) {
    return { resultDropped: errorRecord(error).message };
  }
}
