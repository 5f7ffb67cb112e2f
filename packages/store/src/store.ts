/**
 * Names one write. Opaque: compare for equality only. No two writes to a store ever have the same one, also after a
 * delete, an expiry, a restart, or the loss of everything that the backend held.
 */
export type Version = string;

/** The bytes belong to whoever received them. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: Version;
}

/** `reset`: some changes were missed, list again. */
export type Change =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'reset' };

/** A right that one holder has until the store's own clock says it ended. */
export interface Claim {
  /** Grows with every new claim of its name, also after a release, an expiry or a restart. */
  readonly token: bigint;
  /** What was left of it when the store answered. */
  readonly remainingMs: number;
}

/** Absent, the value stays until it is deleted. Whole milliseconds count, rounded up; at most `maxTtlMs`. */
export interface TtlOption {
  readonly ttlMs?: number;
}

export interface SetOptions extends TtlOption {
  /** Write only if this is the key's version, or if there is no such key. */
  readonly ifVersion?: Version | 'absent';
}

export interface DeleteOptions {
  /** Delete only if this is the key's version. */
  readonly ifVersion?: Version;
}

export interface WatchOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

export interface ClaimOptions {
  /** The token must be greater than this one; a claim that is renewed gets a new token if its own is not. */
  readonly above?: bigint;
}

/**
 * State that processes share. Time is the store's own, never the caller's; every operation is atomic in the store.
 *
 * Keys, and the names and holders of claims, are well-formed strings of at most `maxKeyBytes` UTF-8 bytes; values are
 * at most `maxValueBytes` long. What breaks that is refused before anything is sent: InvalidKeyError,
 * ValueTooLargeError, InvalidOptionError. Every operation rejects with StoreUnavailableError when the backend cannot
 * be asked or does not answer in time, its `outcome` telling whether it may have happened, and with StoreClosedError
 * after the end of this object. No operation is repeated on its own once it may have been executed.
 */
export interface Store extends AsyncDisposable {
  /**
   * What a crash of the backend may take back. `process`: everything. `asynchronous`: what was acknowledged last.
   * `linearizable`: nothing.
   */
  readonly durability: 'process' | 'asynchronous' | 'linearizable';

  get(key: string): Promise<Entry | undefined>;

  /** In the order of the keys, each as `get` gives it; not a snapshot of one moment when there are many. */
  getMany(keys: readonly string[]): Promise<(Entry | undefined)[]>;

  /** Without `ttlMs`, a time limit that the key had is lifted. @throws VersionConflictError */
  set(key: string, value: Uint8Array, options?: SetOptions): Promise<Version>;

  /**
   * Sets each, in order, pulling no further ahead than what is on its way: a million keys in bounded memory. Not
   * atomic: when it rejects, some may be set.
   */
  setMany(entries: Iterable<readonly [string, Uint8Array]>, options?: TtlOption): Promise<void>;

  /** Whether it deleted the key; false when there is none, or it has another version. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;

  /**
   * The keys that begin with `prefix`, in the order of their UTF-8 bytes, in pages within. A key that is there all
   * the while comes exactly once; one that comes or goes meanwhile may be in it or not.
   */
  list(prefix: string): AsyncIterable<Entry>;

  /**
   * What changes under `prefix`, from the call on: everything that the store executes after whatever is asked of this
   * object next, so `watch`, then `list`, then reading the watch leaves no gap. The last state of a key is never
   * missed: it comes, or a `reset` does. States in between may be left out, and one may come twice; a `delete` may
   * name a key that never came. An expiry is a `delete`. Memory is bounded: a reader that falls far behind gets a
   * `reset`.
   *
   * Single use. Ends when the signal aborts; throws StoreClosedError when the store is closed. A backend that is gone
   * for a while is waited for, and a `reset` follows.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<Change>;

  /**
   * Claims the name for `ttlMs`, or renews what the same holder has, keeping its token; undefined while another
   * holder has it. Claims and keys do not meet.
   */
  claim(name: string, holder: string, ttlMs: number, options?: ClaimOptions): Promise<Claim | undefined>;

  /** Whether the name was held with this token, and is free now. */
  release(name: string, token: bigint): Promise<boolean>;
}

/** What the backends of this package have on top. */
export interface ManagedStore extends Store {
  /** As diagnostics messages call it. */
  readonly name: string;
  /** JSON-safe, for metrics and live pages. */
  snapshot(): StoreSnapshot;
  /**
   * Refuses what comes later, ends watches, answers what is under way or rejects it with StoreClosedError, gives back
   * what it holds. Repeatable.
   */
  close(): Promise<void>;
}

export interface StoreSnapshot {
  readonly name: string;
  readonly backend: string;
  readonly durability: Store['durability'];
  readonly state: 'connected' | 'disconnected' | 'closed';
  /** Operations that have not been answered yet. */
  readonly pending: number;
  readonly watches: number;
}
