import { Backoff, type Clock, type Random, withDeadline } from '@ashlar/core';
import { channels } from '../../diagnostics.ts';
import { BacklogFullError, CacheClosedError, UnwrittenError } from '../../errors.ts';
import type { WriteBehindOptions } from './options.ts';
import { type AcceptedWrite, type PendingWrite, PendingWrites, type WaitingWrite } from './pending-writes.ts';
import { Semaphore } from './semaphore.ts';

/** The options of `writeBehind`, checked and complete. */
export type BacklogSettings<K, V> = Required<Omit<WriteBehindOptions<K, V>, 'journal'>>;

export interface BacklogOptions<K, V> extends BacklogSettings<K, V> {
  readonly cache: string;
  readonly clock: Clock;
  readonly random: Random;
  /** False once the writes belong to another process: none of them is written here any more. */
  readonly mayWrite: () => boolean;
  /** The rest of the work once the source has taken a batch, before its writes stop being pending. Never rejects. */
  readonly written: (items: readonly WaitingWrite<K, V>[]) => Promise<void>;
}

/** Of this process: a cache may follow another one within a millisecond, and the writes of a key are compared. */
let lastOfAll = 0;

/** Writes pending writes to the source, in batches, until it has taken them. */
export class Backlog<K, V> {
  readonly options: BacklogOptions<K, V>;
  readonly #pending = new PendingWrites<K, V>();
  /** One permit for each pending write. */
  readonly #permits: Semaphore;
  readonly #flushes = new Set<{ readonly upTo: number; resolve(): void; reject(reason: unknown): void }>();
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  /** Ends a wait for company. */
  #wake = new AbortController();
  /** Ends a pause after a failure. */
  #pause = new AbortController();
  #running: Promise<void> | undefined;
  #lastSequence = 0;
  #batchLimit: number;
  #failures = 0;
  /** Undefined after a success. */
  #pauseMs: number | undefined;
  #closing = false;
  #lastError: unknown;
  /** What `close` has rejected with. */
  #unwritten: UnwrittenError<K, V> | undefined;
  #written = 0;
  #coalesced = 0;

  constructor(options: BacklogOptions<K, V>) {
    const { maxBatch, maxPending, backoffMs, maxBackoffMs, random } = options;
    this.options = options;
    this.#batchLimit = maxBatch;
    this.#permits = new Semaphore(maxPending);
    this.#backoff = new Backoff({ firstMs: backoffMs, maxMs: maxBackoffMs }, random);
  }

  get size(): number {
    return this.#pending.size;
  }

  pending(id: unknown): PendingWrite<K, V> | undefined {
    return this.#pending.get(id);
  }

  /**
   * Waits for a permit. Returns whether one was acquired, to be handed to `add` or else to `giveUp`; a write that replaces
   * another needs none.
   */
  async reserve(id: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    const { cache, whenFull, maxPending } = this.options;
    if (this.#closing) throw new CacheClosedError(cache);
    if (this.#pending.isWaiting(id)) return false;
    if (this.#permits.tryAcquire()) return true;
    if (whenFull === 'reject') throw new BacklogFullError(cache, maxPending);
    this.#hurry();
    await this.#permits.acquire(signal);
    return true;
  }

  giveUp(hasPermit: boolean): void {
    if (hasPermit) this.#permits.release(1);
  }

  nextSequence(): number {
    this.#lastSequence = Math.max(this.#lastSequence + 1, lastOfAll + 1, Date.now() * 1_000);
    lastOfAll = this.#lastSequence;
    return this.#lastSequence;
  }

  /** Replaces a write of the key that waits. */
  add(write: AcceptedWrite<K, V>, hasPermit: boolean): void {
    if (this.#pending.add(write, this.options.clock.now())) {
      this.#coalesced++;
      this.giveUp(hasPermit);
    } else if (!hasPermit) this.#permits.overdraw();
    this.#lastSequence = Math.max(this.#lastSequence, write.sequence);
    if (this.#pending.waiting >= this.options.maxBatch) this.#hurry();
    this.#start();
  }

  /** Resolves when the source has taken the writes that were accepted before the call. @throws UnwrittenError */
  async flush(): Promise<void> {
    if (this.#unwritten !== undefined) throw this.#unwritten;
    if (this.size === 0) return;
    return new Promise((resolve, reject) => {
      this.#flushes.add({ upTo: this.#lastSequence, resolve, reject });
      this.#hurry();
    });
  }

  snapshot(): object {
    const { clock } = this.options;
    const { oldest } = this.#pending;
    return {
      pending: this.size,
      written: this.#written,
      coalesced: this.#coalesced,
      failures: this.#failures,
      oldestMs: oldest === undefined ? 0 : clock.now() - oldest.acceptedAt,
      ...(this.#lastError === undefined ? {} : { lastError: String(this.#lastError) }),
    };
  }

  acceptNoMore(reason: unknown = new CacheClosedError(this.options.cache)): void {
    this.#closing = true;
    this.#permits.close(reason);
    this.#hurry();
    this.#pause.abort();
  }

  /** After `acceptNoMore`: writes what it can within `closeTimeoutMs`. @throws UnwrittenError */
  async close(journaled: boolean): Promise<void> {
    const { cache, clock, closeTimeoutMs: timeoutMs } = this.options;
    const closed = new CacheClosedError(cache, 'Unknown');
    const running = this.#running;
    if (running !== undefined) {
      await withDeadline({ timeoutMs, clock, late: () => closed }, () => running).catch(() => {});
    }
    this.#stop.abort(closed);
    this.#pause.abort();
    if (this.size === 0) return;
    const unwritten = [...this.#pending].map(({ key, value }) => ({ key, value }));
    this.#unwritten = new UnwrittenError(cache, unwritten, journaled, this.#lastError);
    this.#rejectFlushes(this.#unwritten);
    throw this.#unwritten;
  }

  /**
   * Writes nothing more: another process has the journal, and the pending writes with it. Resolves when the batch under
   * way has ended.
   */
  async abandon(reason: unknown): Promise<void> {
    this.acceptNoMore(reason);
    this.#stop.abort(reason);
    this.#rejectFlushes(reason);
    await this.#running;
  }

  #start(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  #hurry(): void {
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    while (this.#pending.waiting > 0) {
      if (!this.#stop.signal.aborted) await this.#untilDue();
      if (this.#stop.signal.aborted || !this.options.mayWrite()) return;
      await this.#writeBatch();
    }
  }

  /** Waits for company, less long when a caller waits for the write; after a failure, pauses. */
  async #untilDue(): Promise<void> {
    const { clock, maxDelayMs, maxBatch } = this.options;
    if (this.#pauseMs !== undefined) {
      this.#pause = new AbortController();
      return clock.sleep(this.#pauseMs, this.#pause.signal).catch(() => {});
    }
    const { oldest, waiting } = this.#pending;
    if (this.#closing || this.#flushes.size > 0 || waiting >= maxBatch || this.#permits.hasWaiting) return;
    this.#wake = new AbortController();
    const leftMs = oldest!.acceptedAt + maxDelayMs - clock.now();
    if (leftMs > 0) await clock.sleep(leftMs, this.#wake.signal).catch(() => {});
  }

  /** What the source refuses goes to the end of the line, in smaller batches. */
  async #writeBatch(): Promise<void> {
    const { cache, clock, write, written, maxBatch } = this.options;
    const items = this.#pending.take(this.#batchLimit);
    const startedAt = clock.now();
    const batch = items.map(({ key, value, sequence }) => ({ key, value, sequence }));
    try {
      await write(batch, this.#stop);
    } catch (error) {
      this.#refused(items, error);
      return;
    }
    this.#pauseMs = undefined;
    this.#backoff.reset();
    this.#written += items.length;
    this.#batchLimit = Math.min(2 * this.#batchLimit, maxBatch);
    const { flush } = channels;
    if (flush.hasSubscribers)
      flush.publish({ cache, count: items.length, durationMs: clock.now() - startedAt });
    await written(items);
    this.#pending.taken();
    this.#permits.release(items.length);
    this.#resolveFlushes();
  }

  #refused(items: readonly WaitingWrite<K, V>[], error: unknown): void {
    const { cache } = this.options;
    this.#failures++;
    this.#pauseMs = this.#backoff.nextMs();
    this.#lastError = error;
    const [only] = items;
    if (items.length === 1) only!.goesAlone = true;
    else this.#batchLimit = Math.max(1, Math.floor(items.length / 2));
    this.#permits.release(this.#pending.putBack());
    const { writeFailed } = channels;
    if (!writeFailed.hasSubscribers) return;
    writeFailed.publish({
      cache,
      keys: items.map(({ key }) => key),
      attempt: this.#failures,
      kept: true,
      error,
    });
  }

  #rejectFlushes(reason: unknown): void {
    for (const { reject } of this.#flushes) reject(reason);
    this.#flushes.clear();
  }

  #resolveFlushes(): void {
    const { lowestSequence } = this.#pending;
    for (const flush of this.#flushes) {
      if (flush.upTo >= lowestSequence) continue;
      this.#flushes.delete(flush);
      flush.resolve();
    }
  }
}
