import { abortable, onAbort, sleep } from '@ashlar/core';
import { StoreUnavailableError } from './errors.ts';
import type { Change, Entry, Store, WatchOptions } from './store.ts';

/** After how long a list is tried again that the store could not answer. */
const listAgainMs = 200;

/**
 * What there is under a prefix, whole, by key: at first, and again whenever it has changed. It watches, lists, follows
 * the watch and lists again at each `reset`, so nothing is missed; a reader who is slow gets the latest only.
 *
 * Rejects with the store's error when it cannot be listed at first; an outage later is waited out. Ends when the
 * signal aborts; throws StoreClosedError when the store is closed.
 */
export async function* follow(
  store: Store,
  prefix: string,
  { signal }: WatchOptions,
): AsyncGenerator<ReadonlyMap<string, Entry>, void, undefined> {
  const leaving = new AbortController();
  const ending = leaving.signal;
  const unlink = onAbort(signal, reason => leaving.abort(reason));
  try {
    const changes = store.watch(prefix, { signal: ending });
    const view = new View(await listed(store, prefix));
    const following = view.follow(changes, () => listedAtLast(store, prefix, ending));
    following.catch(() => {}); // it is awaited below
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

  /** A copy of what there is now. */
  taken(): ReadonlyMap<string, Entry> {
    this.#isTaken = true;
    return new Map(this.#entries);
  }

  /** Resolves when there is something else than was taken last. */
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

  /** Whether it was news. */
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
  for (;;) {
    try {
      return await abortable(listed(store, prefix), signal);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      await sleep(listAgainMs, signal);
    }
  }
}
