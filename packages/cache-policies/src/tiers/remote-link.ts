import { abortable, type Clock, describe, type Random } from '@ashlar/core';
import { SerializeError, ValueTooLongError } from '../errors.ts';
import { SessionBatches } from './batches/session-batches.ts';
import type { SharedEntry } from './entry.ts';
import { TierClosedError, TierUnavailableError } from './errors.ts';
import { type Invalidation, PendingInvalidations } from './pending-invalidations.ts';
import type {
  ReadOptions,
  RemoteTier,
  TierListener,
  TierRead,
  TierSession,
  TierSessionSnapshot,
} from './remote-tier.ts';
import type { Serializer } from './serializer.ts';

/** A read of the shared tier, with its value decoded. */
export interface SharedRead<V> extends Omit<TierRead, 'entry'> {
  readonly entry?: SharedEntry<V>;
}

/** The shared tier as one cache sees it. */
export interface RemoteSnapshot {
  readonly connected: boolean;
  /** Operations that failed, a batch of reads or fills as one, and values that could not be serialized or are too long. */
  readonly failures: number;
  /** Keys and tags whose invalidation is owed: it is retried until the tier takes it. `everything` if a clear is among them. */
  readonly pendingInvalidations: number | 'everything';
  /** Changes that the tier did not take when they were made. */
  readonly owed: number;
  readonly session: TierSessionSnapshot;
}

/** What the link publishes. */
export interface LinkEvents {
  connection(state: 'connected' | 'disconnected', error: Error | undefined): void;
  tierFailed(operation: string, error: unknown): void;
  /** Invalidations are owed to the tier, were made up for, or were given up when the cache was closed. */
  owed(state: 'owed' | 'done' | 'dropped', pending: number | 'everything', error?: unknown): void;
}

export interface LinkOptions<V> {
  readonly tier: RemoteTier;
  readonly serializer: Serializer<V>;
  readonly listener: Pick<TierListener, 'invalidated' | 'reset'>;
  readonly events: LinkEvents;
  /** How long a local value may be served beyond its confirmation while the tier is away, in milliseconds. */
  readonly serveMs: number;
  /** Whether a change that the tier does not take succeeds all the same. */
  readonly owes: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

/** A cache's side of the shared tier (L2): encodes values, counts failures, and owes the invalidations that fail. */
export class RemoteLink<V> {
  readonly #events: LinkEvents;
  readonly #session: TierSession;
  readonly #serializer: Serializer<V>;
  readonly #serveMs: number;
  readonly #owes: boolean;
  readonly #pending: PendingInvalidations;
  readonly #batches: SessionBatches;
  #connected = true;
  #failures = 0;
  #owed = 0;

  constructor({ tier, serializer, listener, events, serveMs, owes, clock, random }: LinkOptions<V>) {
    this.#events = events;
    this.#serializer = serializer;
    this.#serveMs = serveMs;
    this.#owes = owes;
    this.#session = tier.open({
      invalidated: change => listener.invalidated(change),
      reset: reason => listener.reset(reason),
      connection: (state, error) => this.#connection(state, error),
    });
    const done = () => events.owed('done', 0);
    this.#pending = new PendingInvalidations({ tier: this.#session, clock, random, done });
    this.#batches = new SessionBatches(this.#session, (operation, error) => this.#failed(operation, error));
  }

  /** Whether a local value that was requested `at` may be served. */
  mayServe(at: number, now: number): boolean {
    const { confirmedUntil } = this.#session;
    if (now <= confirmedUntil) return true;
    return this.keepsUnprotected && now <= Math.max(confirmedUntil, at) + this.#serveMs;
  }

  /** Whether a caller may join a load that began `at`. */
  mayJoin(at: number, now: number): boolean {
    const { confirmedUntil, boundMs } = this.#session;
    return now <= confirmedUntil || now <= at + boundMs;
  }

  /** Whether a value that was loaded without the tier may be kept in this process: only with `serveMs`, for that long. */
  get keepsUnprotected(): boolean {
    return !this.#connected && this.#serveMs > 0;
  }

  /** Whether the change that failed so succeeds all the same, because its invalidation is owed. */
  isOwed(error: unknown): boolean {
    return this.#owes && !(error instanceof SerializeError) && !(error instanceof TierClosedError);
  }

  /** Whether the key may be read from the tier. */
  isUsable(key: string): boolean {
    return this.#connected && !this.#pending.has(key);
  }

  /** Undefined for each key whose read fails. */
  read(keys: readonly string[], options: ReadOptions): Promise<readonly (SharedRead<V> | undefined)[]> {
    return Promise.all(keys.map(key => this.#readOne(key, options).catch(() => undefined)));
  }

  /**
   * Whether it may be kept in this process: it was stored, or else it cannot be, and the lease was held until now. False after
   * a failure too.
   */
  async fill(key: string, lease: string, entry: SharedEntry<V>): Promise<boolean> {
    try {
      const value = await this.#encode(key, entry.value);
      return await this.#batches.fill({ key, lease, entry: { ...entry, value } });
    } catch (error) {
      if (!(error instanceof SerializeError)) return false;
      // else other callers would wait for a value that never comes
      return this.release(key, lease);
    }
  }

  /** Whether the lease was still held: false after a failure too. */
  release(key: string, lease: string): Promise<boolean> {
    return this.#batches.release(key, lease).catch(() => false);
  }

  async write(key: string, entry: SharedEntry<V>): Promise<void> {
    const value = await this.#encode(key, entry.value);
    const work = () => this.#batches.write(key, { ...entry, value });
    await this.#change('write', { keys: [key] }, work);
  }

  /** A lease on the key; undefined after a failure. The source may be written all the same: the tier is notified afterwards. */
  async announce(key: string, leaseMs: number): Promise<string | undefined> {
    try {
      const work = () => this.#batches.announce(key, leaseMs);
      return await this.#change('announce', { keys: [key] }, work);
    } catch {
      return undefined;
    }
  }

  invalidate(keys: readonly string[]): Promise<void> {
    return this.#change('invalidate', { keys }, () => this.#batches.invalidate(keys));
  }

  invalidateTags(tags: readonly string[]): Promise<void> {
    return this.#change('invalidateTags', { tags }, () => this.#session.invalidateTags(tags));
  }

  clear(): Promise<void> {
    return this.#change('clear', 'everything', () => this.#session.clear());
  }

  snapshot(): RemoteSnapshot {
    return {
      connected: this.#connected,
      failures: this.#failures,
      pendingInvalidations: this.#pendingCount,
      owed: this.#owed,
      session: this.#session.snapshot(),
    };
  }

  /**
   * What is pending is sent once more, and given up when the tier does not take it. That and the operations under way may take
   * until the signal aborts.
   */
  async close(signal: AbortSignal): Promise<void> {
    await abortable(this.#pending.close(), signal).catch(() => {});
    if (this.#pending.size > 0) this.#events.owed('dropped', this.#pendingCount);
    await this.#session.close(signal);
  }

  get #pendingCount(): number | 'everything' {
    const { size } = this.#pending;
    return Number.isFinite(size) ? size : 'everything';
  }

  /** A failed change rejects, and its invalidation is owed. One that may be owed does not wait for a tier that is away. */
  async #change<T>(operation: string, invalidation: Invalidation, work: () => Promise<T>): Promise<T> {
    const isAway = this.#owes && !this.#connected;
    try {
      if (isAway) throw new TierUnavailableError('the tier is away', 'NotExecuted');
      return await work();
    } catch (error) {
      if (!isAway) this.#failed(operation, error);
      this.#owed++;
      this.#pending.add(invalidation);
      this.#events.owed('owed', this.#pendingCount, error);
      throw error;
    }
  }

  #failed(operation: string, error: unknown): void {
    this.#failures++;
    this.#events.tierFailed(operation, error);
  }

  #connection(state: 'connected' | 'disconnected', error: Error | undefined): void {
    this.#connected = state === 'connected';
    if (this.#connected) this.#pending.retryNow();
    this.#events.connection(state, error);
  }

  async #encode(key: string, value: V | undefined): Promise<Uint8Array | undefined> {
    try {
      if (value === undefined) return undefined;
      const bytes: unknown = await this.#serializer.encode(value);
      if (!(bytes instanceof Uint8Array)) {
        throw new TypeError(`\`encode\` must return a Uint8Array, got ${describe(bytes)}`);
      }
      const { maxValueBytes = Number.POSITIVE_INFINITY } = this.#session;
      if (bytes.length > maxValueBytes) throw new ValueTooLongError(key, bytes.length, maxValueBytes);
      return bytes;
    } catch (cause) {
      const error = cause instanceof ValueTooLongError ? cause : new SerializeError(key, cause);
      this.#failed('encode', error);
      throw error;
    }
  }

  async #readOne(key: string, options: ReadOptions): Promise<SharedRead<V>> {
    return this.#decoded(key, await this.#batches.read(key, options), options);
  }

  async #decoded(key: string, { entry, ...rest }: TierRead, options: ReadOptions): Promise<SharedRead<V>> {
    if (entry === undefined) return rest;
    try {
      if (entry.value === undefined) return { ...rest, entry: { ...entry, value: undefined } };
      const value = await this.#serializer.decode(entry.value);
      if (value === undefined) throw new TypeError('`decode` returned undefined');
      return { ...rest, entry: { ...entry, value } };
    } catch (error) {
      // of another format: a miss, so a lease is requested, to replace it
      this.#failed('decode', error);
      if (options.leaseMs === undefined || rest.lease !== undefined) return rest;
      const again = { ...options, minFreshMs: Number.POSITIVE_INFINITY };
      const { entry: _, ...right } = await this.#batches.read(key, again);
      return right;
    }
  }
}
