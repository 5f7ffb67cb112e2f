import type { Deduplication } from '../driver.ts';
import type { Stored } from './ready.ts';

interface Holder {
  readonly item: Stored;
  /** Until then the key is taken, whatever became of the message. */
  readonly until: number;
}

/** What becomes of a message with a key: it is dropped, or replaces one that waits, or just comes. */
export type Admission = { readonly drops: true } | { readonly drops: false; readonly replaces?: Stored };

const comes: Admission = { drops: false };

/** The messages of a group that hold the keys of their `deduplication`. */
export class DeduplicationKeys {
  readonly #holders = new Map<string, Holder>();
  #sweepAt = 1_000;

  admit(item: Stored, deduplication: Deduplication, now: number): Admission {
    const { key, mode } = deduplication;
    const holder = this.#holders.get(key);
    if (holder !== undefined) {
      const isThere = holder.item.state !== 'gone';
      if (mode === 'simple' && isThere) return { drops: true };
      if (mode === 'throttle' && holder.until > now) return { drops: true };
      if (mode === 'debounce' && isThere && holder.item.state !== 'active') {
        this.#hold(item, deduplication, now);
        return { drops: false, replaces: holder.item };
      }
    }
    this.#hold(item, deduplication, now);
    return comes;
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
