import { type Checked, InvalidOptionError, readOptions, refused, signal } from '@ashlar/core';
import { fromJson, toJson } from '@ashlar/store';
import { Builder } from './builder.ts';
import type { WallClock } from './clock.ts';
import { JobClosedError, TooStaleError } from './errors.ts';
import { type PrecomputeOptions, type PrecomputeSettings, precomputeRules } from './options.ts';
import type { PartitionedSource } from './partitions/in-partitions.ts';
import type { Worker } from './partitions/worker.ts';
import type { VersionInfo } from './publish/pointer.ts';
import { Publisher } from './publish/publisher.ts';
import { Vault } from './publish/vault.ts';
import type { Lookup, Pinned } from './read/lookup.ts';
import { OnDemand } from './read/on-demand.ts';
import { ReadTime } from './read/read-time.ts';
import { Reader } from './read/reader.ts';
import type { Serializer, Snapshot } from './read/snapshot.ts';
import { date } from './runs/backfill.ts';
import { Job, type JobSnapshot } from './runs/job.ts';
import { jobRules } from './runs/options.ts';
import type { RunRecord } from './runs/record.ts';
import { scheduleOf } from './schedule/options.ts';

export interface PrecomputeSnapshot {
  readonly name: string;
  readonly job: JobSnapshot;
  /** The version that is served here; 0 when there is none. */
  readonly version: number;
  readonly entries: number;
  readonly ageMs: number | undefined;
  readonly isFresh: boolean;
}

const loadRules = { signal: signal() };
const backfillRules = { from: date, signal: signal() };

/**
 * Data that are ready before anyone asks: built by a source on a schedule, by one process of a fleet; published as a version that is
 * whole or not there; read from the memory of every process.
 *
 * A reader never sees parts of two versions, nor a version with a part missing. A run publishes at most once, and never over a newer
 * one. What cannot be built, validated or read leaves the last good version as it is.
 */
export class Precompute<K, V> implements AsyncDisposable {
  readonly name: string;
  readonly #settings: PrecomputeSettings;
  readonly #clock: WallClock;
  readonly #readTime: ReadTime;
  readonly #keyOf: (key: K) => string;
  readonly #fallback: ((key: K) => V | undefined) | undefined;
  readonly #vault: Vault;
  readonly #publisher: Publisher;
  readonly #reader: Reader<V>;
  readonly #onDemand: OnDemand<K, V> | undefined;
  readonly #job: Job;
  /** Loads partitions of runs, also of those that other processes have. */
  readonly #worker: Worker | undefined;

  /** @throws InvalidOptionError */
  constructor(options: PrecomputeOptions<K, V>) {
    const settings: Checked<typeof precomputeRules> = readOptions('Precompute', options, precomputeRules);
    const { name, store, clock, pollMs, keep, readersGraceMs: graceMs, freshness, onDemand } = settings;
    const { keyOf = textOf, keyFrom = (text: string) => text as K, sinks = [], source, compute } = options;
    const serializer = options.serializer ?? (json as Serializer<V>);
    const schedule = scheduleOf(settings);
    const { freshMs, maxStaleMs } = freshness;
    const beyondAt = ({ dataAt }: VersionInfo): number => dataAt + maxStaleMs;
    const freshUntil = (info: VersionInfo): number => {
      const next = freshMs === undefined ? schedule.next(info.dataAt) : undefined;
      const until = freshMs === undefined ? next && schedule.next(next) : info.dataAt + freshMs;
      return Math.min(until ?? Infinity, beyondAt(info));
    };
    this.name = name;
    this.#settings = settings;
    this.#clock = clock;
    this.#readTime = new ReadTime(clock);
    this.#keyOf = keyOf;
    this.#fallback = options.fallback;
    this.#vault = new Vault(store, name);
    this.#publisher = new Publisher({ vault: this.#vault, clock, keep, graceMs });
    const { snapshot: kind, hotKeys } = settings;
    if (hotKeys !== undefined && kind === 'plain') {
      throw new InvalidOptionError(
        'hotKeys',
        "`hotKeys` is for `snapshot: 'shared'`; a plain one keeps every value",
      );
    }
    const memory = { kind, hotKeys: hotKeys ?? 10_000 };
    this.#reader = new Reader({
      vault: this.#vault,
      serializer,
      ...memory,
      clock,
      pollMs,
      freshUntil,
      beyondAt,
    });
    this.#onDemand = compute && new OnDemand(compute, { ...onDemand, name, clock });
    const parts = { vault: this.#vault, publisher: this.#publisher, reader: this.#reader };
    this.#worker = (source as Partial<PartitionedSource<K, V>>).attach?.({
      ...{ name, store, clock, pollMs, graceMs: settings.graceMs },
      keyOf: keyOf as (key: unknown) => string,
      keyFrom,
      serializer: serializer as Serializer<unknown>,
    });
    const builder = new Builder({ settings, ...parts, source, sinks, keyOf, keyFrom, serializer });
    this.#job = new Job({
      ...jobOptions(options),
      work: run => builder.run(run),
      fence: run => this.#publisher.fence(run),
    });
  }

  /**
   * Registers the schedule and loads the published version, if there is one: when it resolves, `get` answers from it. Rejects with
   * the store's error. May be called again.
   */
  async start(): Promise<void> {
    await this.#job.start();
    await this.#worker?.start();
    await this.#reader.start();
  }

  /** From the version in the memory of this process; loads nothing. @throws TooStaleError with `beyond: 'fail'` */
  get(key: K): Lookup<V> {
    return this.#look(this.#reader.snapshot, key);
  }

  /** The version as it is now, for several reads that must fit each other. */
  pin(): Pinned<K, V> {
    const snapshot = this.#reader.snapshot;
    return { version: snapshot?.info.version ?? 0, get: key => this.#look(snapshot, key) };
  }

  /**
   * As `get`; computes what is missing, once however many ask. When `compute` fails, a value that is too old is better than none.
   *
   * @throws TooStaleError with `beyond: 'fail'`, OverloadedError, what `compute` throws
   */
  async load(key: K, options: { readonly signal?: AbortSignal } = {}): Promise<Lookup<V>> {
    const { signal } = readOptions('load', options, loadRules);
    signal?.throwIfAborted();
    const known = this.get(key);
    if (this.#onDemand === undefined || known.status === 'fresh') return known;
    if (known.status === 'stale' && known.ageMs <= this.#settings.freshness.maxStaleMs) return known;
    const id = this.#keyOf(key);
    const { version, ageMs } = known;
    const kept = this.#onDemand.peek(id);
    try {
      const value = kept === undefined ? await this.#onDemand.get(id, key, signal) : kept.value;
      return value === undefined ? known : { value, status: 'fallback', version, ageMs };
    } catch (error) {
      if (known.status === 'missing' || signal?.aborted) throw error;
      return known;
    }
  }

  /**
   * Builds and publishes now, in one of the processes, and resolves with the record of that run when it has ended, whatever its
   * status is; then `get` answers from what it has published.
   */
  async refresh(options: { readonly signal?: AbortSignal } = {}): Promise<RunRecord> {
    const { signal } = readOptions('refresh', options, loadRules);
    return this.#refresh(signal);
  }

  /**
   * As `refresh`, of an `incremental` data set: the source reads again what has changed since `from`, as for rows that came later
   * than `lookBackMs`. A time after the watermark changes nothing.
   *
   * @throws InvalidOptionError without `incremental`, where every run reads everything
   */
  async backfill(options: { readonly from: Date; readonly signal?: AbortSignal }): Promise<RunRecord> {
    const { from, signal } = readOptions('backfill', options, backfillRules);
    if (this.#settings.incremental === undefined) {
      throw new InvalidOptionError('incremental', 'every run reads everything: call `refresh()`');
    }
    return this.#refresh(signal, { since: from.getTime() });
  }

  /**
   * Serves an older version again, in every process: the one before, by default. Nothing is published until `resume`, and no run of
   * a tick before that.
   *
   * @throws MissingVersionError
   */
  async rollback(version?: number): Promise<void> {
    if (version !== undefined && !Number.isSafeInteger(version)) {
      throw refused('version', 'the number of a version', version);
    }
    await this.#publisher.rollback(version);
    await this.#reader.refresh();
  }

  /** No tick is launched in any process until `resume`. */
  pause(): Promise<void> {
    return this.#job.pause();
  }

  /** Ends a pause, and the hold of a rollback. Starts schedule and publishing from now after a clock was ahead, as `Job.resume`. */
  async resume(): Promise<void> {
    await this.#publisher.resume();
    await this.#job.resume();
  }

  /** The runs that are remembered, the latest first. */
  history(): Promise<RunRecord[]> {
    return this.#job.history();
  }

  /** The versions that are kept, the oldest first, with the one that is served. */
  async versions(): Promise<(VersionInfo & { readonly isCurrent: boolean })[]> {
    const { versions, current } = await this.#vault.pointer();
    return versions.map(info => ({ ...info, isCurrent: info.version === current }));
  }

  /** The next times of the schedule. @throws InvalidOptionError */
  next(count = 1): Date[] {
    return this.#job.next(count);
  }

  snapshot(): PrecomputeSnapshot {
    const { name } = this;
    const job = this.#job.snapshot();
    const snapshot = this.#reader.snapshot;
    if (snapshot === undefined)
      return { name, job, version: 0, entries: 0, ageMs: undefined, isFresh: false };
    const { info, values, freshUntil } = snapshot;
    const now = this.#clock.wallMs();
    const ageMs = Math.max(0, now - info.dataAt);
    return {
      name,
      job,
      version: info.version,
      entries: values.size,
      ageMs,
      isFresh: now <= freshUntil,
    };
  }

  /** Ends runs, watches and loads here. `get` goes on with the version that it has. */
  async close(): Promise<void> {
    this.#onDemand?.close(new JobClosedError(this.name));
    await Promise.all([this.#job.close(), this.#reader.close(), this.#worker?.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #refresh(signal: AbortSignal | undefined, wanted?: { readonly since: number }): Promise<RunRecord> {
    const { floor } = await this.#vault.pointer();
    const record = await this.#job.triggerAfter(floor, signal, wanted);
    await this.#reader.refresh();
    return record;
  }

  #look(snapshot: Snapshot<V> | undefined, key: K): Lookup<V> {
    const id = this.#keyOf(key);
    if (snapshot === undefined) return this.#other(id, key, 0, Infinity);
    const value = snapshot.values.get(id);
    const now = this.#readTime.wallMs();
    const { version, dataAt } = snapshot;
    const ageMs = Math.max(0, now - dataAt);
    if (value !== undefined && now <= snapshot.freshUntil) return { value, status: 'fresh', version, ageMs };
    const isBeyond = now > snapshot.beyondAt;
    const { beyond, maxStaleMs } = this.#settings.freshness;
    if (isBeyond && beyond === 'fail') throw new TooStaleError(this.name, ageMs, maxStaleMs);
    const stale: Lookup<V> | undefined =
      value === undefined ? undefined : { value, status: 'stale', version, ageMs };
    if (stale !== undefined && !(isBeyond && beyond === 'compute')) return stale;
    return this.#other(id, key, version, ageMs, stale);
  }

  /** What was computed, else what is too old, else what was declared. */
  #other(id: string, key: K, version: number, ageMs: number, stale?: Lookup<V>): Lookup<V> {
    const computed = this.#onDemand?.peek(id)?.value;
    if (computed !== undefined) return { value: computed, status: 'fallback', version, ageMs };
    if (stale !== undefined) return stale;
    const value = this.#fallback?.(key);
    return { value, status: value === undefined ? 'missing' : 'fallback', version, ageMs };
  }
}

/** The options that a job has too. */
function jobOptions(options: object): Omit<ConstructorParameters<typeof Job>[0], 'work'> {
  const names = Object.keys(jobRules);
  return Object.fromEntries(Object.entries(options).filter(([name]) => names.includes(name))) as never;
}

const json: Serializer<unknown> = {
  serialize: toJson,
  deserialize: value => fromJson({ key: 'a value', value, version: '' }).value,
};

function textOf(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'bigint') return String(key);
  throw refused('key', 'a string, a number or a bigint', key, 'write `keyOf: key => …` for other keys');
}
