import type { Observed } from '../authority.ts';
import type { TermRecord } from './record.ts';

/** Milliseconds that a server may be out of the order of the term before it is brought into it. */
const untidyMs = 1_000;

/** The first record: there is no term yet, all servers have been seen, and one is primary. */
export function firstRecord(servers: readonly Observed[], synchronous: number): TermRecord | undefined {
  const primaries = servers.filter(each => each.state === 'up' && each.sighting?.role === 'primary');
  if (primaries.length !== 1 || servers.some(each => each.state !== 'up')) return undefined;
  const members = servers.map(({ id }) => id);
  return { term: 1, primary: primaries[0]!.id, phase: 'serving', members, synchronous };
}

/** Whether a standby that we see receives nothing from the primary. */
export function isLeft(servers: readonly Observed[], { primary }: TermRecord): boolean {
  return servers.some(
    ({ id, state, sighting }) =>
      id !== primary && state === 'up' && sighting?.role === 'replica' && sighting.isReceiving === false,
  );
}

/**
 * Servers that live and are not in the order of the term, for a while: an old primary that is not fenced, a standby that
 * follows nobody, a primary that is fenced.
 */
export class Untidy {
  readonly #since = new Map<string, number>();

  /** @param servers those that are the set's to put in order */
  find(servers: readonly Observed[], { primary }: TermRecord, now: number): readonly string[] {
    const out = servers
      .filter(({ id, state, sighting }) => {
        if (state !== 'up' || sighting === undefined) return false;
        if (id === primary) return sighting.role === 'primary' && sighting.isFenced === true;
        return sighting.role === 'primary' ? !sighting.isFenced : sighting.isReceiving === false;
      })
      .map(({ id }) => id);
    for (const id of this.#since.keys()) if (!out.includes(id)) this.#since.delete(id);
    for (const id of out) if (!this.#since.has(id)) this.#since.set(id, now);
    return out.filter(id => now - this.#since.get(id)! >= untidyMs);
  }

  /** They have been put in order; what is seen of them is older. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#since.delete(id);
  }
}
