/** A tier that several caches share: what one loads, the others find; what one writes, the others hear of. */
export interface RemoteTier {
  /** As diagnostics messages call it. */
  readonly name: string;

  /** The bytes under a key that are still kept, stale ones included; no lease, no counting. */
  get(key: string): Promise<Uint8Array | undefined>;

  /** What one cache uses it through. A cache opens one session and closes it. */
  open(listener: TierListener): TierSession;
}

/** A value as it goes to the tier and comes back. Durations, never times: each side has a clock of its own. */
export interface TierEntry {
  /** `undefined`: the source was asked and has nothing there, which is remembered too. */
  readonly value: Uint8Array | undefined;
  /** For how long from now it is fresh, in milliseconds; `Infinity` is allowed. In what is read, at most 0 if stale. */
  readonly freshMs: number;
  /** For how long from now the tier keeps it, never less than `freshMs`. It may be gone sooner. */
  readonly keepMs: number;
  /** How long it took to load, for early refreshes. */
  readonly costMs: number;
  /** It goes when one of them is invalidated. */
  readonly tags: readonly string[];
}

/** What is known of a key, and whether the reader is the one to load it. */
export interface TierRead {
  /** Absent when nothing is kept, or its tags were invalidated since. */
  readonly entry?: TierEntry;
  /** The right to load the key and fill it: a random string that nobody else has and that never comes again. */
  readonly lease?: string;
  /** There is no lease, because another has it for that long: the key is being loaded or written. */
  readonly busyMs?: number;
}

export interface ReadOptions {
  /** Asks for leases that end after that time. Absent: values only. */
  readonly leaseMs?: number;
  /**
   * A lease is given where nothing is kept, or what is kept will be fresh for no more than this. 0 by default: when it
   * is stale. `Infinity`: whatever is kept.
   */
  readonly minFreshMs?: number;
}

export interface Fill {
  readonly key: string;
  /** From `read` or `announce`. It is used up, whatever comes of it. */
  readonly lease: string;
  readonly entry: TierEntry;
}

/** What a session tells its cache. Changes that the session makes itself are not told. */
export interface TierListener {
  /** These keys, or whatever has these tags, were changed by others. */
  invalidated(change: { readonly keys: readonly string[]; readonly tags: readonly string[] }): void;
  /** Anything may have changed: some changes were missed or the tier lost what it held. */
  reset(reason: ResetReason): void;
  /** The tier is away, or back. A `reset` comes before it is `connected` again. */
  connection(state: 'connected' | 'disconnected', error?: Error): void;
}

/** `cleared`: by another session. `missed`: a gap in the sequence. `reconnected`, `emptied`: as they say. */
export type ResetReason = 'cleared' | 'missed' | 'reconnected' | 'emptied';

/**
 * The operations behind a cache. Each is atomic for each key, and bounded in time.
 *
 * The rule that keeps old values out: **a fill stores only if its lease still is there**. A lease goes with its fill,
 * its release, its time, any write or invalidation of its key, and when the tier loses what it held; that a lease is
 * not there always means that the fill is refused. So who read the source before a write cannot put back what it read.
 *
 * A change is visible to every `read` before the operation that made it resolves, and is told to the other sessions after
 * it is visible, in one order for all, numbered without gaps. A session that finds a gap, loses its connection, or finds
 * another history than the one it knew, says `reset`.
 *
 * Operations reject with TierUnavailableError, whose `outcome` says whether they may have happened, and with
 * TierClosedError after `close`.
 */
export interface TierSession {
  /** The tier's stated bound B: for how long after a change a cache may go on serving what it holds. */
  readonly boundMs: number;

  /**
   * Everything that others changed before that time less `boundMs` has been told: what a cache holds
   * in its own memory may be served until then. On the monotonic clock that cache and tier share; `Infinity` where
   * changes are told before they resolve. Read at every hit, so it must be cheap. It never moves on while the session
   * cannot hear, so a process that was stopped finds it in the past.
   */
  readonly confirmedUntil: number;

  /** In the order of the keys. */
  read(keys: readonly string[], options?: ReadOptions): Promise<readonly TierRead[]>;

  /** Whether each was stored. Refused too when one of its tags was invalidated after its lease was given. Not told to others. */
  fill(fills: readonly Fill[]): Promise<readonly boolean[]>;

  /** Stores, whatever was there; leases of these keys are void. */
  write(entries: ReadonlyMap<string, TierEntry>): Promise<void>;

  /** Deletes values and leases. */
  invalidate(keys: readonly string[]): Promise<void>;

  /**
   * As `invalidate`, and leases the keys to the caller in the same step, who is about to write their source: nobody
   * stores what they read before, and if the caller dies, the keys are free again after that time. A lease for each key.
   */
  announce(keys: readonly string[], leaseMs: number): Promise<readonly string[]>;

  /** Gives leases back that will not be filled. Whether each was still there. */
  release(leases: readonly { readonly key: string; readonly lease: string }[]): Promise<readonly boolean[]>;

  /** Whatever was stored with one of these tags is gone; O(1) for each tag, however many entries have it. */
  invalidateTags(tags: readonly string[]): Promise<void>;

  /** Everything is gone, and every lease void. O(1) for the caller. */
  clear(): Promise<void>;

  /** JSON-safe. */
  snapshot(): object;

  /** Repeatable; the tier itself lives on for its other sessions. */
  close(): Promise<void>;
}
