import { Backoff, backgroundClock, checkNames, objectWith, refused, required, text } from '@ashlar/core';
import type { Backend, Stored } from './backend.ts';
import { batches, checkedEntries, pipeline, sizeOf, writeParts } from './batches.ts';
import { channels } from './diagnostics.ts';
import { InvalidValueError, isRetryable, StoreClosedError } from './errors.ts';
import {
  checkKey,
  checkValue,
  requiredSignal,
  requiredToken,
  requiredTtlMs,
  token,
  ttlMs,
  version,
} from './limits.ts';
import type {
  Change,
  Claim,
  ClaimOptions,
  DeleteOptions,
  Entry,
  ManagedStore,
  SetOptions,
  Store,
  StoreSnapshot,
  TtlOption,
  Version,
  WatchOptions,
} from './store.ts';
import { Watcher } from './watches/watcher.ts';

/** The pauses of a watch before it looks up a change again that the backend did not answer. */
const lookUpAgain = { firstMs: 100, maxMs: 2_000 };

const storeName = required(text());
const anyBackend = required(
  objectWith<Backend>(
    ['read', 'write', 'writeAll', 'remove', 'page', 'claim', 'release', 'listen', 'close'],
    'write an object with the methods of `Backend`',
  ),
);

const setRules = { ttlMs, ifVersion: version };
const ttlRules = { ttlMs };
const deleteRules = { ifVersion: version };
const watchRules = { signal: requiredSignal };
const claimRules = { above: token };

/**
 * Makes a store of a backend: checks arguments and options, splits what is long into batches, keeps the watches,
 * publishes on the channels, and closes. `memoryStore`, `redisStore` and `postgresStore` are this class over their
 * backends; so is a store of your own.
 */
export class BackendStore implements ManagedStore {
  readonly name: string;
  readonly #backend: Backend;
  readonly #watchers = new Set<Watcher>();
  #stopListening: (() => void) | undefined;
  #pending = 0;
  #closing: Promise<void> | undefined;

  /**
   * @param name what diagnostics messages and errors call the store
   * @throws InvalidOptionError
   */
  constructor(name: string, backend: Backend) {
    this.name = storeName(name, 'name');
    this.#backend = anyBackend(backend, 'backend');
  }

  get durability(): Store['durability'] {
    return this.#backend.durability;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.#run('get', async () => {
      const [stored] = await this.#backend.read([checkKey(key)]);
      if (stored instanceof InvalidValueError) throw stored;
      return stored;
    });
  }

  getMany(keys: readonly string[]): Promise<(Entry | undefined)[]> {
    return this.#run('getMany', async () => {
      if (!Array.isArray(keys))
        throw refused('keys', 'an array of strings', keys, 'write `getMany([key, …])`');
      for (const key of keys) checkKey(key);
      const { batchKeys, window } = this.#backend;
      const found: (Entry | undefined)[] = [];
      await pipeline(batches(keys, batchKeys), window, async (part, index) => {
        const stored = await this.#backend.read(part);
        for (let i = 0; i < stored.length; i++) found[index * batchKeys + i] = this.#valid(stored[i]);
      });
      return found;
    });
  }

  set(key: string, value: Uint8Array, options: SetOptions = {}): Promise<Version> {
    return this.#run('set', () => {
      checkNames('set', options, setRules);
      return this.#backend.write(
        checkKey(key),
        checkValue(key, value),
        ttlMs(options.ttlMs, 'ttlMs'),
        version(options.ifVersion, 'ifVersion'),
      );
    });
  }

  setMany(entries: Iterable<readonly [string, Uint8Array]>, options: TtlOption = {}): Promise<void> {
    return this.#run('setMany', async () => {
      checkNames('setMany', options, ttlRules);
      const ms = ttlMs(options.ttlMs, 'ttlMs');
      const { batchKeys, window } = this.#backend;
      const parts = batches(checkedEntries(entries), batchKeys, sizeOf);
      await writeParts(this.name, parts, window, part => this.#backend.writeAll(part, ms));
    });
  }

  delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#run('delete', () => {
      checkNames('delete', options, deleteRules);
      return this.#backend.remove(checkKey(key), version(options.ifVersion, 'ifVersion'));
    });
  }

  list(prefix: string): AsyncGenerator<Entry, void, undefined> {
    return this.#pages(checkKey(prefix, 'prefix'));
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Change> {
    checkKey(prefix, 'prefix');
    checkNames('watch', options, watchRules);
    const watcher = new Watcher(
      prefix,
      requiredSignal(options.signal, 'signal'),
      (keys, signal) => this.#present(keys, signal),
      ended => this.#leave(ended),
    );
    if (this.#closing !== undefined) watcher.fail(new StoreClosedError(this.name));
    if (watcher.ended) return watcher;
    try {
      this.#stopListening ??= this.#listen();
    } catch (error) {
      void watcher.return();
      throw error;
    }
    this.#watchers.add(watcher);
    return watcher;
  }

  claim(name: string, holder: string, ttlMs: number, options: ClaimOptions = {}): Promise<Claim | undefined> {
    return this.#run('claim', () => {
      checkNames('claim', options, claimRules);
      return this.#backend.claim(
        checkKey(name, 'name'),
        checkKey(holder, 'holder'),
        requiredTtlMs(ttlMs, 'ttlMs'),
        token(options.above, 'above'),
      );
    });
  }

  release(name: string, token: bigint): Promise<boolean> {
    return this.#run('release', () =>
      this.#backend.release(checkKey(name, 'name'), requiredToken(token, 'token')),
    );
  }

  snapshot(): StoreSnapshot {
    const { kind, durability, connected } = this.#backend;
    const state = this.#closing !== undefined ? 'closed' : connected ? 'connected' : 'disconnected';
    const watches = this.#watchers.size;
    return { name: this.name, backend: kind, durability, state, pending: this.#pending, watches };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#failWatches(new StoreClosedError(this.name));
      await this.#backend.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreClosedError(this.name);
    const startedAt = channels.operation.hasSubscribers ? performance.now() : undefined;
    const publish = (outcome: { error?: unknown }) => {
      if (startedAt === undefined) return;
      const durationMs = performance.now() - startedAt;
      channels.operation.publish({ store: this.name, operation, durationMs, ...outcome });
    };
    this.#pending++;
    try {
      const result = await work();
      publish({});
      return result;
    } catch (error) {
      publish({ error });
      throw error;
    } finally {
      this.#pending--;
    }
  }

  async *#pages(prefix: string): AsyncGenerator<Entry, void, undefined> {
    let after: string | undefined;
    do {
      const page = await this.#run('list', () => this.#backend.page(prefix, after));
      for (const stored of page.entries) {
        const entry = this.#valid(stored);
        if (entry !== undefined) yield entry;
      }
      after = page.next;
    } while (after !== undefined);
  }

  #listen(): () => void {
    return this.#backend.listen({
      changed: key => {
        for (const each of this.#watchers) each.touch(key);
      },
      missed: reason => {
        if (channels.reset.hasSubscribers) channels.reset.publish({ store: this.name, reason });
        for (const each of this.#watchers) each.reset();
      },
      ended: error => this.#failWatches(error),
    });
  }

  async #present(keys: readonly string[], signal: AbortSignal): Promise<readonly (Entry | undefined)[]> {
    const backoff = new Backoff(lookUpAgain);
    for (;;) {
      try {
        return (await this.#backend.read(keys)).map(stored => this.#valid(stored));
      } catch (error) {
        if (!isRetryable(error)) throw error;
        await backgroundClock.sleep(backoff.nextMs(), signal);
      }
    }
  }

  /** One value that no store wrote must not hide the others. */
  #valid(stored: Stored | undefined): Entry | undefined {
    if (!(stored instanceof InvalidValueError)) return stored;
    const { key } = stored;
    if (channels.invalidValue.hasSubscribers) {
      channels.invalidValue.publish({ store: this.name, key, error: stored });
    }
    return undefined;
  }

  #failWatches(error: Error): void {
    for (const watcher of [...this.#watchers]) watcher.fail(error);
  }

  #leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }
}
