/** A second tier (L2) that caches share: they find what one of them loads, and are notified of what one of them writes. */
export interface RemoteTier {
  /** Its name in errors and snapshots. */
  readonly name: string;

  /** The bytes that are kept under a key, stale ones included; takes no lease and counts nothing. */
  get(key: string): Promise<Uint8Array | undefined>;

  /** The session of one cache, which opens it and closes it. */
  open(listener: TierListener): TierSession;
}

/** A value as the tier takes and returns it. Durations, never points in time: each side has its own clock. */
export interface TierEntry {
  /** `undefined`: a load found that the source has nothing, which is cached too. */
  readonly value: Uint8Array | undefined;
  /** How long it is fresh from now, in milliseconds; `Infinity` is allowed. In a read, 0 or less if it is stale. */
  readonly freshMs: number;
  /** How long the tier keeps it from now, in milliseconds, at least `freshMs`. It may be evicted sooner. */
  readonly keepMs: number;
  /** How long its load took, in milliseconds, for early refreshes. */
  readonly costMs: number;
  /** An invalidation of one of them removes it. */
  readonly tags: readonly string[];
}

/** The entry of a key, and whether the reader may load it. */
export interface TierRead {
  /** Absent when nothing is kept, or one of its tags was invalidated since. */
  readonly entry?: TierEntry;
  /** The right to load the key and to fill it: a random string, unique for ever. */
  readonly lease?: string;
  /** How long another process still has the lease, in milliseconds: it loads or writes the key. */
  readonly busyMs?: number;
}

export interface ReadOptions {
  /** Requests leases that expire after so many milliseconds. Default: no leases. */
  readonly leaseMs?: number;
  /**
   * A lease is granted where nothing is kept, or where the entry is fresh for at most so many milliseconds. `Infinity`
   * grants it in any case. Default: 0, when the entry is stale.
   */
  readonly minFreshMs?: number;
}

export interface Fill {
  readonly key: string;
  /** From `read` or `announce`. It is used up, whether the fill stores or not. */
  readonly lease: string;
  readonly entry: TierEntry;
}

/** What a session calls. It does not call it for its own changes. */
export interface TierListener {
  /** Another session changed these keys, or every entry with one of these tags. */
  invalidated(change: { readonly keys: readonly string[]; readonly tags: readonly string[] }): void;
  /** Anything may have changed: the session missed changes, or the tier lost its entries. */
  reset(reason: ResetReason): void;
  /** The connection was lost, or is back. A `reset` comes before it is `connected` again. */
  connection(state: 'connected' | 'disconnected', error?: Error): void;
}

/** `cleared`: by another session. `missed`: a gap in the sequence. `reconnected`: a new connection. `emptied`: by the server. */
export type ResetReason = 'cleared' | 'missed' | 'reconnected' | 'emptied';

/** JSON-safe. A tier may add facts of its own. */
export interface TierSessionSnapshot {
  /** The name of the tier. */
  readonly tier: string;
  readonly connected: boolean;
  /** The number of the last change that the session knows of. */
  readonly sequence: number;
}

/**
 * The operations behind a cache. Each is atomic for each key, and bounded in time.
 *
 * The rule that keeps old values out: **a fill stores only if its lease is still held**. A lease ends with its fill, its
 * release, its time, any write or invalidation of its key, and when the tier loses its entries. Without its lease a fill is
 * always refused. So a load that read the source before a write cannot put the old value back.
 *
 * A change is visible to every `read` before the operation that made it resolves. The other sessions are notified after it
 * is visible, in one order for all, numbered without gaps. A session that finds a gap, loses its connection, or finds
 * another history than the one it knew, calls `reset`.
 *
 * Operations reject with TierUnavailableError, whose `outcome` says whether they may have happened, and with
 * TierClosedError after `close`.
 */
export interface TierSession {
  /** The maximum staleness: how long after a change a cache may still serve its local value, in milliseconds. */
  readonly boundMs: number;

  /**
   * Local values may be served until this time: the session has received every invalidation from before `confirmedUntil -
   * boundMs`. On the monotonic clock that cache and tier share; `Infinity` where changes resolve only after every session
   * was notified. It is read at every hit, so it must be cheap. It does not advance while the session is disconnected, so
   * a process that was stopped finds it in the past.
   */
  readonly confirmedUntil: number;

  /**
   * The most bytes of a value, as far as it is known by now: the cache does not send longer ones. It is read before each
   * `fill` and `write`. Default: no limit.
   */
  readonly maxValueBytes?: number;

  /** One result for each key, in the order of the keys. A cache sends at most 500 keys at once here, as to `fill`, `write`, `announce` and `release`. */
  read(keys: readonly string[], options?: ReadOptions): Promise<readonly TierRead[]>;

  /** Whether each was stored. Refused also when one of its tags was invalidated after its lease was granted. Notifies no session. */
  fill(fills: readonly Fill[]): Promise<readonly boolean[]>;

  /** Stores unconditionally, and voids the leases of these keys. */
  write(entries: ReadonlyMap<string, TierEntry>): Promise<void>;

  /** Deletes values and leases. */
  invalidate(keys: readonly string[]): Promise<void>;

  /**
   * As `invalidate`, and in the same step leases the keys to the caller, before it writes their source. No load that began
   * before can store its value. If the caller dies, the leases expire. Returns a lease for each key.
   */
  announce(keys: readonly string[], leaseMs: number): Promise<readonly string[]>;

  /** Gives back leases that will not be filled. Returns whether each was still held. */
  release(leases: readonly { readonly key: string; readonly lease: string }[]): Promise<readonly boolean[]>;

  /** Invalidates every entry with one of these tags; O(1) for each tag, however many entries have it. */
  invalidateTags(tags: readonly string[]): Promise<void>;

  /** Invalidates every entry and voids every lease. O(1) for the caller. */
  clear(): Promise<void>;

  /** JSON-safe. */
  snapshot(): TierSessionSnapshot;

  /** Repeatable. The tier stays open for its other sessions. Operations under way may end until the signal aborts. */
  close(signal?: AbortSignal): Promise<void>;
}
