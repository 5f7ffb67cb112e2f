import type { InvalidValueError } from './errors.ts';
import type { Claim, Entry, Store, Version } from './store.ts';

/** Receives what a backend learns of changes while it listens. None of its methods throws. */
export interface ChangeListener {
  /** The key was written, deleted, or has expired. */
  changed(key: string): void;
  /** Changes up to now may have been missed, for this reason. */
  missed(reason: string): void;
  /** The backend is closed for good: watches end with the error. */
  ended(error: Error): void;
}

/** A stored value as read: an entry, or why it is none, because something else than a store wrote it. */
export type Stored = Entry | InvalidValueError;

export interface Page {
  readonly entries: readonly Stored[];
  /** The key after which the next page begins; undefined when this was the last page. */
  readonly next: string | undefined;
}

/**
 * What differs from backend to backend. `new BackendStore(name, backend)` makes a store of it: that checks arguments
 * and options, splits what is long, keeps the watches, counts, publishes and closes. So a backend gets checked
 * arguments only, and is not called after `close`.
 *
 * Each call is atomic and one round trip, except that of `writeAll` only each write is atomic. Each has its deadline,
 * and rejects with StoreUnavailableError or StoreClosedError, whose `outcome` says whether it may have been executed.
 * Time is the backend's own. `storeConformance` of `@ashlar/store/conformance` tests all of it.
 */
export interface Backend {
  /** For snapshots: `memory`, `redis`. */
  readonly kind: string;
  readonly durability: Store['durability'];
  /** For snapshots: whether the backend answered last. */
  readonly connected: boolean;
  /** How many keys one call of `read` or `writeAll` takes. */
  readonly batchKeys: number;
  /** How many such calls may be in flight at once. They are executed in the order of the calls; where not, it is 1. */
  readonly window: number;

  /** In the order of the keys; undefined for a key that is absent or has expired. The bytes are the caller's. */
  read(keys: readonly string[]): Promise<readonly (Stored | undefined)[]>;
  /**
   * Writes and returns a version that no write has had before; copies the bytes before it returns its promise. Without
   * `ttlMs` the value stays. With `ifVersion`, compares and writes in one step; `'absent'` stands for no such key.
   *
   * @throws VersionConflictError
   */
  write(
    key: string,
    value: Uint8Array,
    ttlMs: number | undefined,
    ifVersion: Version | undefined,
  ): Promise<Version>;
  /** Writes each, in order; of a key that comes twice, the last write stays. */
  writeAll(entries: readonly (readonly [string, Uint8Array])[], ttlMs: number | undefined): Promise<void>;
  /** Whether it deleted the key; false when there is none, or it has another version. */
  remove(key: string, ifVersion: Version | undefined): Promise<boolean>;
  /** Entries under the prefix that come after the key `after`, in the order of their UTF-8 bytes. */
  page(prefix: string, after: string | undefined): Promise<Page>;
  /**
   * Claims a free name with a token greater than all before it, and than `above`; or renews the holder's own claim,
   * with its token where that is greater than `above`. Undefined while another holds it.
   *
   * @throws InvalidOptionError when `above` is more than `maxAheadUs` ahead of the backend's clock
   */
  claim(name: string, holder: string, ttlMs: number, above: bigint | undefined): Promise<Claim | undefined>;
  /** Whether the name was held with this token, and is free now. */
  release(name: string, token: bigint): Promise<boolean>;
  /**
   * Publishes every change that the backend executes after the next call on this object, until the returned function
   * is called. While it cannot listen it tries again, and calls `missed` when it can. One listener at a time.
   *
   * @throws InvalidOptionError when its configuration leaves no room to listen
   */
  listen(listener: ChangeListener): () => void;
  /** Rejects what is in flight with StoreClosedError, or waits for it, and frees what it holds. */
  close(): Promise<void>;
}
