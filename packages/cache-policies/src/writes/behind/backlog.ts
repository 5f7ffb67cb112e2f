import type { Clock, Random } from '@ashlar/core';
import { channels } from '../../diagnostics.ts';
import { BacklogFullError, CacheClosedError, UnwrittenError } from '../../errors.ts';
import { Places } from './semaphore.ts';
import type { PendingWrite } from './write-behind.ts';

export interface BacklogSettings {
  readonly maxPending: number;
  readonly whenFull: 'wait' | 'reject';
  readonly maxDelayMs: number;
  readonly maxBatch: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly closeTimeoutMs: number;
}

export interface BacklogOptions<K, V> extends BacklogSettings {
  readonly cache: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly write: (
    batch: readonly PendingWrite<K, V>[],
    context: { readonly signal: AbortSignal },
  ) => Promise<void>;
  /** False when the writes belong to another process now: none of them is written here any more. */
  readonly mayWrite: () => boolean;
  /** What is left to do once the source has taken a batch, before the writes are pending no more. Never rejects. */
  readonly written: (items: readonly Item<K, V>[]) => Promise<void>;
}

export interface Accepted<K, V> extends PendingWrite<K, V> {
  readonly id: unknown;
}

export interface Item<K, V> extends Accepted<K, V> {
  readonly acceptedAt: number;
  /** It failed without others: it goes alone from now on, so that it takes none with it. */
  goesAlone: boolean;
}

/** Writes that wait for the source: one a key that waits, and one a key that is being written. */
export class Backlog<K, V> {
  readonly options: BacklogOptions<K, V>;
  readonly #waiting = new Map<unknown, Item<K, V>>();
  readonly #writing = new Map<unknown, Item<K, V>>();
  readonly #places: Places;
  readonly #flushes = new Set<{ readonly upTo: number; resolve(): void; reject(reason: unknown): void }>();
  readonly #stop = new AbortController();
  /** Ends a wait for company. */
  #wake = new AbortController();
  /** Ends a wait after a failure. */
  #pause = new AbortController();
  #running: Promise<void> | undefined;
  #lastSequence = 0;
  #batchLimit: number;
  #failures = 0;
  #closing = false;
  #lastError: unknown;
  #written = 0;
  #coalesced = 0;

  constructor(options: BacklogOptions<K, V>) {
    this.options = options;
    this.#batchLimit = options.maxBatch;
    this.#places = new Places(options.maxPending);
  }

  get size(): number {
    return this.#waiting.size + this.#writing.size;
  }

  pending(id: unknown): Item<K, V> | undefined {
    return this.#waiting.get(id) ?? this.#writing.get(id);
  }

  /** Waits for a place. Whether one was taken, to be handed to `add`, or else to `giveUp`; what replaces needs none. */
  async reserve(id: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    const { cache, whenFull, maxPending } = this.options;
    if (this.#closing) throw new CacheClosedError(cache);
    if (this.#waiting.has(id)) return false;
    if (this.#places.tryTake()) return true;
    if (whenFull === 'reject') throw new BacklogFullError(cache, maxPending);
    this.#hurry();
    await this.#places.take(signal);
    return true;
  }

  giveUp(hasPlace: boolean): void {
    if (hasPlace) this.#places.free(1);
  }

  nextSequence(): number {
    this.#lastSequence = Math.max(this.#lastSequence + 1, Date.now() * 1_000);
    return this.#lastSequence;
  }

  /** A write of the key that waits is replaced. */
  add({ id, key, value, sequence }: Accepted<K, V>, hasPlace: boolean): void {
    const replaced = this.#waiting.get(id);
    if (replaced !== undefined) {
      this.#coalesced++;
      this.giveUp(hasPlace);
    } else if (!hasPlace) this.#places.takeAnyway();
    const { acceptedAt, goesAlone } = replaced ?? { acceptedAt: this.options.clock.now(), goesAlone: false };
    this.#lastSequence = Math.max(this.#lastSequence, sequence);
    this.#waiting.set(id, { id, key, value, sequence, acceptedAt, goesAlone });
    if (this.#waiting.size >= this.options.maxBatch) this.#hurry();
    this.#start();
  }

  /** Resolves when the source has taken what was accepted before the call. */
  flush(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#flushes.add({ upTo: this.#lastSequence, resolve, reject });
      this.#hurry();
    });
  }

  snapshot(): object {
    const { clock } = this.options;
    const oldest = this.#waiting.values().next().value;
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
    this.#places.close(reason);
    this.#hurry();
    this.#pause.abort();
  }

  /** After `acceptNoMore`: writes what it can within its time. @throws UnwrittenError */
  async close(journaled: boolean): Promise<void> {
    const { cache, clock, closeTimeoutMs } = this.options;
    if (this.#running === undefined) return;
    const done = new AbortController();
    const late = clock.sleep(closeTimeoutMs, done.signal).catch(() => {});
    await Promise.race([this.#running, late]);
    done.abort();
    this.#stop.abort(new CacheClosedError(cache, 'Unknown'));
    this.#pause.abort();
    if (this.size === 0) return;
    const left = [...this.#writing.values(), ...this.#waiting.values()];
    const unwritten = left.map(({ key, value }) => ({ key, value }));
    throw new UnwrittenError(cache, unwritten, journaled, this.#lastError);
  }

  /**
   * The journal has what is pending and was lost to another process: nothing more is written here. Resolves when what is
   * under way has ended.
   */
  async abandon(reason: unknown): Promise<void> {
    this.acceptNoMore(reason);
    this.#stop.abort(reason);
    for (const { reject } of this.#flushes) reject(reason);
    this.#flushes.clear();
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
    for (let streak = 0; this.#waiting.size > 0; ) {
      if (!this.#stop.signal.aborted) await this.#untilDue(streak);
      if (this.#stop.signal.aborted || !this.options.mayWrite()) return;
      streak = (await this.#writeBatch()) ? 0 : streak + 1;
    }
  }

  /** Waits for company, or after a failure for its time; less long when somebody waits for it. */
  async #untilDue(streak: number): Promise<void> {
    const { clock, random, maxDelayMs, maxBatch, backoffMs, maxBackoffMs } = this.options;
    if (streak > 0) {
      this.#pause = new AbortController();
      const delayMs = Math.min(backoffMs * 2 ** (streak - 1), maxBackoffMs) * (0.5 + random() / 2);
      return clock.sleep(delayMs, this.#pause.signal).catch(() => {});
    }
    if (this.#closing || this.#flushes.size > 0 || this.#waiting.size >= maxBatch || this.#places.isCrowded)
      return;
    const [oldest] = this.#waiting.values();
    this.#wake = new AbortController();
    const leftMs = oldest!.acceptedAt + maxDelayMs - clock.now();
    if (leftMs > 0) await clock.sleep(leftMs, this.#wake.signal).catch(() => {});
  }

  /** Whether the source took it. What it refuses goes to the end of the line, in smaller batches. */
  async #writeBatch(): Promise<boolean> {
    const { cache, clock, write, written, maxBatch } = this.options;
    const items = this.#take();
    const startedAt = clock.now();
    const batch = items.map(({ key, value, sequence }) => ({ key, value, sequence }));
    try {
      await write(batch, this.#stop);
    } catch (error) {
      this.#refused(items, error);
      return false;
    }
    this.#written += items.length;
    this.#batchLimit = Math.min(2 * this.#batchLimit, maxBatch);
    const { flush } = channels;
    if (flush.hasSubscribers)
      flush.publish({ cache, count: items.length, durationMs: clock.now() - startedAt });
    await written(items);
    this.#writing.clear();
    this.#places.free(items.length);
    this.#tellFlushes();
    return true;
  }

  #take(): readonly Item<K, V>[] {
    const [first] = this.#waiting.values();
    for (const item of this.#waiting.values()) {
      if (this.#writing.size >= (first!.goesAlone ? 1 : this.#batchLimit)) break;
      if (item.goesAlone && item !== first) continue;
      this.#writing.set(item.id, item);
    }
    for (const id of this.#writing.keys()) this.#waiting.delete(id);
    return [...this.#writing.values()];
  }

  #refused(items: readonly Item<K, V>[], error: unknown): void {
    const { cache } = this.options;
    this.#failures++;
    this.#lastError = error;
    const [only] = items;
    if (items.length === 1) only!.goesAlone = true;
    else this.#batchLimit = Math.max(1, Math.floor(items.length / 2));
    this.#writing.clear();
    let superseded = 0;
    for (const item of items) {
      if (this.#waiting.has(item.id)) superseded++;
      else this.#waiting.set(item.id, item);
    }
    this.#places.free(superseded);
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

  #tellFlushes(): void {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { sequence } of this.#waiting.values()) oldest = Math.min(oldest, sequence);
    for (const flush of this.#flushes) {
      if (flush.upTo >= oldest) continue;
      this.#flushes.delete(flush);
      flush.resolve();
    }
  }
}
