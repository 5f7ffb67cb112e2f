import type { Sighting } from '../server.ts';
import type { Position } from '../session.ts';

/** `lost`: it is not part of the server's history, or cannot be shown to be. */
export type Coverage = 'covered' | 'behind' | 'lost';

/** Where terms ended, in the history that the set goes on with. */
export class TermEnds {
  readonly #ends = new Map<number, bigint>();

  /**
   * Learns from two sightings of one server in a row. What it had of the earlier term is part of its history: a bound from
   * below, where it does not say the exact end itself.
   */
  learn(before: Sighting | undefined, now: Sighting): void {
    for (const { term, offset } of now.termEnds ?? []) this.#ends.set(term, offset);
    if (now.termEnds !== undefined || before === undefined || before.position.term >= now.position.term)
      return;
    const { term, offset } = before.position;
    const known = this.#ends.get(term);
    if (known === undefined || known < offset) this.#ends.set(term, offset);
  }

  /** Whether a reader of the server sees what was written up to the position. */
  coverage(position: Position, { position: has }: Sighting): Coverage {
    if (position.term > has.term) return 'behind';
    if (position.term < has.term) {
      const end = this.#ends.get(position.term);
      if (end === undefined || position.offset > end) return 'lost';
    }
    return has.offset >= position.offset ? 'covered' : 'behind';
  }
}
