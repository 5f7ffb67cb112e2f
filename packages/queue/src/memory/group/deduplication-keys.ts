import type { Deduplication } from '../../driver.ts';
import { type Stored, stored } from './stored.ts';

/** Who has a key. */
export interface Holder {
  readonly item: Stored;
  /** Until then the key is taken, whatever became of the message. */
  readonly until: number;
}

/** What becomes of a message with a key: it is dropped, or replaces one that waits, or just comes. */
export type Admission = { readonly drops: true } | Comes;
export interface Comes {
  readonly drops: false;
  readonly replaces?: Stored;
  /** Who had the key. */
  readonly before?: Holder | undefined;
}

export const comes: Comes = { drops: false };
const gone: Stored = {
  ...stored({
    id: '',
    body: new Uint8Array(),
    headers: {},
    key: undefined,
    priority: 0,
    sequence: 0,
    expiresAt: 0,
  }),
  state: 'gone',
};

/** The messages of a group that hold the keys of their `deduplication`. */
export class DeduplicationKeys {
  readonly #holders = new Map<string, Holder>();
  #sweepAt = 1_000;

  admit(item: Stored, deduplication: Deduplication, now: number): Admission {
    const { key, mode } = deduplication;
    const holder = this.#holders.get(key);
    if (holder !== undefined) {
      const { state, expiresAt } = holder.item;
      // One whose time is over is dropped when it is its turn, but its key is free before
      const isThere = state === 'active' || (state !== 'gone' && expiresAt > now);
      if (mode === 'simple' && isThere) return { drops: true };
      if (mode === 'throttle' && holder.until > now) return { drops: true };
      if (mode === 'debounce' && isThere && state !== 'active') {
        this.#hold(item, deduplication, now);
        return { drops: false, replaces: holder.item, before: holder };
      }
    }
    this.#hold(item, deduplication, now);
    return comes;
  }

  /** The key goes back to whom it was taken from. */
  withdraw(key: string, item: Stored, { before }: Comes): void {
    if (this.#holders.get(key)?.item !== item) return;
    if (before === undefined) this.#holders.delete(key);
    else this.#holders.set(key, before);
  }

  /** @param item absent when its message is gone */
  restore(key: string, item: Stored | undefined, until: number): void {
    this.#holders.set(key, { item: item ?? gone, until });
  }

  all(): IterableIterator<[string, Holder]> {
    return this.#holders.entries();
  }

  #hold(item: Stored, deduplication: Deduplication, now: number): void {
    const until = deduplication.mode === 'throttle' ? now + deduplication.ttlMs : 0;
    this.#holders.set(deduplication.key, { item, until });
    if (this.#holders.size < this.#sweepAt) return;
    for (const [key, { item, until }] of this.#holders) {
      if (item.state === 'gone' && until <= now) this.#holders.delete(key);
    }
    this.#sweepAt = 2 * this.#holders.size + 1_000;
  }
}
