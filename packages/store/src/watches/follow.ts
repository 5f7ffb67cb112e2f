import { abortable, Backoff, checkNames, onAbort, systemClock } from '@ashlar/core';
import { isRetryable } from '../errors.ts';
import { anyStore, checkKey, requiredSignal } from '../limits.ts';
import type { Change, Entry, Store, WatchOptions } from '../store.ts';

/** The pauses between two attempts to list that the store did not answer. */
const listAgain = { firstMs: 200, maxMs: 5_000 };

const followRules = { signal: requiredSignal };

/**
 * All entries under a prefix, by key: at first, and again after every change. It watches, lists, follows the watch and
 * lists again at each `reset`, so it misses nothing; a slow reader gets the latest only.
 *
 * Rejects with the store's error when the first list fails; later `retryable` errors are waited out. Ends when the
 * signal aborts; throws StoreClosedError when the store is closed.
 *
 * @throws InvalidOptionError, InvalidKeyError
 */
export function follow(
  store: Store,
  prefix: string,
  options: WatchOptions,
): AsyncGenerator<ReadonlyMap<string, Entry>, void, undefined> {
  anyStore(store, 'store');
  checkKey(prefix, 'prefix');
  checkNames('follow', options, followRules);
  return views(store, prefix, requiredSignal(options.signal, 'signal'));
}

async function* views(
  store: Store,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ReadonlyMap<string, Entry>, void, undefined> {
  const leaving = new AbortController();
  const ending = leaving.signal;
  const unlink = onAbort(signal, reason => leaving.abort(reason));
  try {
    const changes = store.watch(prefix, { signal: ending });
    const view = new View(await listed(store, prefix));
    const following = view.follow(changes, () => listedAtLast(store, prefix, ending));
    following.catch(() => {}); // It is awaited below
    for (;;) {
      yield view.taken();
      if (await Promise.race([following.then(() => true), view.changed().then(() => false)])) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    unlink();
    leaving.abort();
  }
}

class View {
  #entries: Map<string, Entry>;
  #isTaken = false;
  #wake: (() => void) | undefined;

  constructor(entries: Map<string, Entry>) {
    this.#entries = entries;
  }

  /** A copy of the present entries. */
  taken(): ReadonlyMap<string, Entry> {
    this.#isTaken = true;
    return new Map(this.#entries);
  }

  /** Resolves when the entries differ from those taken last. */
  changed(): Promise<void> {
    return new Promise(resolve => {
      if (this.#isTaken) this.#wake = resolve;
      else resolve();
    });
  }

  async follow(changes: AsyncIterable<Change>, list: () => Promise<Map<string, Entry>>): Promise<void> {
    for await (const change of changes) {
      if (change.type === 'reset') this.#entries = await list();
      else if (!this.#apply(change)) continue;
      this.#isTaken = false;
      this.#wake?.();
    }
  }

  /** Whether it changed an entry. */
  #apply(change: Exclude<Change, { type: 'reset' }>): boolean {
    if (change.type === 'delete') return this.#entries.delete(change.key);
    const { entry } = change;
    const isKnown = this.#entries.get(entry.key)?.version === entry.version;
    this.#entries.set(entry.key, entry);
    return !isKnown;
  }
}

async function listed(store: Store, prefix: string): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of store.list(prefix)) entries.set(entry.key, entry);
  return entries;
}

async function listedAtLast(store: Store, prefix: string, signal: AbortSignal): Promise<Map<string, Entry>> {
  const backoff = new Backoff(listAgain);
  for (;;) {
    try {
      return await abortable(listed(store, prefix), signal);
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await systemClock.sleep(backoff.nextMs(), signal);
    }
  }
}
