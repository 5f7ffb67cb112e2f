import { publishTrouble } from '../../discovery/trouble.ts';
import type { Endpoint } from '../../endpoint.ts';
import { DiscoveryError } from '../../errors.ts';
import { decode, type Registered } from './entries.ts';
import type { RegistryChange, RegistryEntry } from './store-like.ts';

interface Known<E extends Endpoint> extends Registered<E> {
  readonly text: string;
  /** Until when it stays although the store lost it. */
  readonly missedUntil: number;
}

/**
 * The endpoints of a service as a reader knows them. What is taken away, or expires, is gone at once. What is merely
 * missing when the store is listed anew, as after it lost everything, stays for as long as its registration lasts
 * without a sign of life: whoever is alive has registered again by then.
 */
export class RegistryView<E extends Endpoint> {
  readonly #source: string;
  #known = new Map<string, Known<E>>();

  constructor(source: string) {
    this.#source = source;
  }

  /** In the order of their ids. */
  get endpoints(): readonly E[] {
    const all = Array.from(this.#known.values(), ({ endpoint }) => endpoint);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** When the next of those that are missing goes; `Infinity` when none is. */
  get dueAt(): number {
    let dueAt = Infinity;
    for (const { missedUntil } of this.#known.values()) dueAt = Math.min(dueAt, missedUntil);
    return dueAt;
  }

  /** Takes over a whole list. Whether it was news. */
  replace(entries: readonly RegistryEntry[], now: number): boolean {
    const listed = new Set(entries.map(({ key }) => key));
    const missing: string[] = [];
    for (const [key, known] of this.#known) {
      if (listed.has(key) || known.missedUntil !== Infinity) continue;
      this.#known.set(key, { ...known, missedUntil: now + known.ttlMs });
      missing.push(known.endpoint.id);
    }
    if (missing.length > 0) {
      const message = `the store lost ${missing.join(', ')}, which stay for now: whoever is alive registers again`;
      publishTrouble(this.#source, new DiscoveryError(message));
    }
    const news = entries.map(entry => this.#put(entry));
    return news.includes(true);
  }

  /** Whether it was news. */
  apply(change: Exclude<RegistryChange, { type: 'reset' }>): boolean {
    if (change.type === 'put') return this.#put(change.entry);
    // That it is not there any more is known of one that is missing: this is the expiry of what a backend found again
    if (this.#known.get(change.key)?.missedUntil !== Infinity) return false;
    return this.#known.delete(change.key);
  }

  /** Lets go of those whose time is over. Whether there were any. */
  expire(now: number): boolean {
    const before = this.#known.size;
    for (const [key, { missedUntil }] of this.#known) if (missedUntil <= now) this.#known.delete(key);
    return this.#known.size < before;
  }

  #put({ key, value }: RegistryEntry): boolean {
    const before = this.#known.get(key);
    try {
      const registered = decode<E>(value);
      const text = JSON.stringify(registered.endpoint);
      this.#known.set(key, { ...registered, text, missedUntil: Infinity });
      return before?.text !== text;
    } catch (cause) {
      // One that cannot be read is no reason to do without the others
      const message = `${JSON.stringify(key)} is no endpoint: ${String(cause)}`;
      publishTrouble(this.#source, new DiscoveryError(message, { cause }));
      return this.#known.delete(key);
    }
  }
}
