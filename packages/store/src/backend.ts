import type { Claim, Entry, Store, Version } from './store.ts';

/** What a backend hears about while it listens. */
export interface News {
  /** The key was written, deleted, or has expired. */
  changed(key: string): void;
  /** Changes may have been missed, up to now. */
  missed(reason: string): void;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** After which key the next page begins; undefined when this was the last. */
  readonly next: string | undefined;
}

/**
 * What is different from backend to backend; `BackendStore` makes a store of it. Arguments have been checked.
 * Each call is one round trip, has its deadline, and rejects with StoreUnavailableError or StoreClosedError.
 */
export interface Backend {
  readonly kind: string;
  readonly durability: Store['durability'];
  readonly connected: boolean;
  /** How many keys one call of `read` or `writeAll` takes. */
  readonly batchKeys: number;
  /** How many such calls may be on their way at once; they are executed in the order in which they were made. */
  readonly window: number;

  read(keys: readonly string[]): Promise<readonly (Entry | undefined)[]>;
  /** @throws VersionConflictError */
  write(
    key: string,
    value: Uint8Array,
    ttlMs: number | undefined,
    ifVersion: Version | undefined,
  ): Promise<Version>;
  writeAll(entries: readonly (readonly [string, Uint8Array])[], ttlMs: number | undefined): Promise<void>;
  remove(key: string, ifVersion: Version | undefined): Promise<boolean>;
  page(prefix: string, after: string | undefined): Promise<Page>;
  claim(name: string, holder: string, ttlMs: number, above: bigint | undefined): Promise<Claim | undefined>;
  release(name: string, token: bigint): Promise<boolean>;
  /**
   * Tells of everything that the backend executes after whatever is asked of it next, until the returned function is
   * called. Never fails: where it cannot listen, it tries on, and has missed something. One listener at a time.
   */
  listen(news: News): () => void;
  /** Rejects what is under way. */
  close(): Promise<void>;
}
