/**
 * Names one write. Opaque: compare for equality only. No two writes to a store ever have the same one, also after a
 * delete, an expiry, a restart, or the loss of everything that the backend held.
 */
export type Version = string;

/** A value with its key and version. The bytes are the receiver's own copy. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly version: Version;
}

/** What a watch yields. `reset`: some changes were missed, list again. */
export type Change =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'reset' };

/** A name held by one holder, until the store's own clock says that it has ended. */
export interface Claim {
  /** Grows with every new claim of its name, also after a release, an expiry or a restart. */
  readonly token: bigint;
  /** The time left when the store answered. */
  readonly remainingMs: number;
}

export interface TtlOption {
  /** Milliseconds until the value expires, rounded up to whole ones; at most `maxTtlMs`. Default: none, it stays. */
  readonly ttlMs?: number;
}

export interface SetOptions extends TtlOption {
  /** Write only if this is the key's version; with `'absent'`, only if there is no such key. Default: write always. */
  readonly ifVersion?: Version | 'absent';
}

export interface DeleteOptions {
  /** Delete only if this is the key's version. Default: delete always. */
  readonly ifVersion?: Version;
}

export interface WatchOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

export interface ClaimOptions {
  /**
   * The token must be greater than this one; a renewed claim gets a new token if its own is not. At most a day ahead of
   * the store's clock, in microseconds, so that no call uses up the tokens. Default: any token.
   */
  readonly above?: bigint;
}

/**
 * State that processes share. Time is the store's own, never the caller's. Every operation is atomic in the store, and
 * sent once: what may have been executed is never repeated.
 *
 * Keys, and the names and holders of claims, are well-formed strings of at most `maxKeyBytes` UTF-8 bytes; values have
 * at most `maxValueBytes`. Anything else is refused before it is sent: InvalidKeyError, ValueTooLargeError,
 * InvalidOptionError.
 *
 * Every operation rejects with StoreUnavailableError when the backend is not reached or does not answer in time; its
 * `outcome` says whether the operation may have been executed. After `close` it rejects with StoreClosedError.
 */
export interface Store extends AsyncDisposable {
  /**
   * What a crash of the backend may take back. `process`: everything. `asynchronous`: what was acknowledged last.
   * `linearizable`: nothing.
   */
  readonly durability: 'process' | 'asynchronous' | 'linearizable';

  /** The entry of the key, if there is one. @throws InvalidValueError when something else than a store wrote it */
  get(key: string): Promise<Entry | undefined>;

  /**
   * The entries in the order of the keys, undefined where there is none; of many keys not a snapshot of one moment. What
   * no store wrote counts as absent, here, in `list` and in a watch, and is published on `ashlar:store:invalid-value`.
   */
  getMany(keys: readonly string[]): Promise<(Entry | undefined)[]>;

  /** Returns the new version. Without `ttlMs`, the value no longer expires. @throws VersionConflictError */
  set(key: string, value: Uint8Array, options?: SetOptions): Promise<Version>;

  /**
   * Sets each, in order, and pulls from the iterable only what it sends next: a million keys in bounded memory. Not
   * atomic: when it rejects, some may be set. Then `outcome` is `Unknown`, unless the error refuses one of the entries:
   * those before it may be set.
   */
  setMany(entries: Iterable<readonly [string, Uint8Array]>, options?: TtlOption): Promise<void>;

  /** Whether it deleted the key; false when there is none, or it has another version. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>;

  /**
   * The entries whose keys begin with `prefix`, in the order of their UTF-8 bytes, fetched in pages. A key that stays
   * the whole time comes exactly once; one that comes or goes meanwhile may be in it or not.
   */
  list(prefix: string): AsyncIterable<Entry>;

  /**
   * The changes under `prefix` from the call on: all that the store executes after the next call on this object. So
   * `watch`, then `list`, then reading the watch leaves no gap. The last state of a key is never missed: it comes, or a
   * `reset` does. States in between may be left out, and one may come twice; a `delete` may name a key that never came.
   * An expiry is a `delete`. Memory is bounded: a reader that falls `maxPendingKeys` behind gets a `reset`.
   *
   * Single use. Ends when the signal aborts; throws StoreClosedError when the store is closed, also by the thread that
   * owns it. An outage of the backend is waited out, and a `reset` follows.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<Change>;

  /**
   * Claims the name for `ttlMs`, or renews the holder's own claim and keeps its token; undefined while another holder
   * has it. Claims and values do not share their names: a claim is no key.
   */
  claim(name: string, holder: string, ttlMs: number, options?: ClaimOptions): Promise<Claim | undefined>;

  /** Frees the name if it is held with this token; whether it was. */
  release(name: string, token: bigint): Promise<boolean>;
}

/** A `Store` with a name, a snapshot and an end: what `BackendStore` makes of any backend. */
export interface ManagedStore extends Store {
  /** What diagnostics messages call it. */
  readonly name: string;
  /** JSON-safe, for metrics and live pages. */
  snapshot(): StoreSnapshot;
  /**
   * Rejects later calls, ends watches, answers what is in flight or rejects it with StoreClosedError, and frees what it
   * holds. May be called again.
   */
  close(): Promise<void>;
}

export interface StoreSnapshot {
  readonly name: string;
  readonly backend: string;
  readonly durability: Store['durability'];
  readonly state: 'connected' | 'disconnected' | 'closed';
  /** Operations in flight. */
  readonly pending: number;
  readonly watches: number;
}
