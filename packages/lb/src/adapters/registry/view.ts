import { publishTrouble } from '../../discovery/trouble.ts';
import type { Endpoint } from '../../endpoint.ts';
import { DiscoveryError } from '../../errors.ts';
import { decode, type Registered } from './entries.ts';
import type { RegistryChange, RegistryEntry } from './store-like.ts';

interface Known<E extends Endpoint> extends Registered<E> {
  readonly text: string;
  /** When it leaves unless the store has it again; `Infinity` while the store has it. */
  readonly missedUntil: number;
}

/**
 * The endpoints of a service as a reader knows them. Removed and expired ones leave at once. One that is missing when
 * the store is listed again, as after the store lost its data, stays for its own `ttlMs`: live replicas register again
 * within that time.
 */
export class RegistryView<E extends Endpoint> {
  readonly #source: string;
  #known = new Map<string, Known<E>>();

  constructor(source: string) {
    this.#source = source;
  }

  /** Sorted by id. */
  get endpoints(): readonly E[] {
    const all = Array.from(this.#known.values(), ({ endpoint }) => endpoint);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** When the next missing endpoint leaves; `Infinity` when none is missing. */
  get dueAt(): number {
    let dueAt = Infinity;
    for (const { missedUntil } of this.#known.values()) dueAt = Math.min(dueAt, missedUntil);
    return dueAt;
  }

  /** Replaces the set by a full list. Returns whether the set changed. */
  replace(entries: readonly RegistryEntry[], now: number): boolean {
    const listed = new Set(entries.map(({ key }) => key));
    const missing: string[] = [];
    for (const [key, known] of this.#known) {
      if (listed.has(key) || known.missedUntil !== Infinity) continue;
      this.#known.set(key, { ...known, missedUntil: now + known.ttlMs });
      missing.push(known.endpoint.id);
    }
    if (missing.length > 0) {
      const message = `the store lost ${missing.join(', ')}, which stay for their ttlMs: live replicas register again`;
      publishTrouble(this.#source, new DiscoveryError(message));
    }
    const changes = entries.map(entry => this.#put(entry));
    return changes.includes(true);
  }

  /** Returns whether the set changed. */
  apply(change: Exclude<RegistryChange, { type: 'reset' }>): boolean {
    if (change.type === 'put') return this.#put(change.entry);
    // Already missing: this is the late expiry of an entry that the backend had lost
    if (this.#known.get(change.key)?.missedUntil !== Infinity) return false;
    return this.#known.delete(change.key);
  }

  /** Drops missing endpoints whose time is over. Returns whether the set changed. */
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
      // One malformed entry must not hide the others
      const message = `${JSON.stringify(key)} is no endpoint: ${String(cause)}`;
      publishTrouble(this.#source, new DiscoveryError(message, { cause }));
      return this.#known.delete(key);
    }
  }
}
