import { integer, refused, required } from '@ashlar/core';
import { checkedKey } from '../hash/key-bytes.ts';
import type { Key, Placement } from '../placement.ts';

/** Half the memory as long as owners are small, as they nearly always are. */
export type Owners = Uint16Array | Uint32Array;

/**
 * Walks owners in the order in which a circle or table names them, meeting each once. One walk belongs to one
 * placement and is used for all its walks, so that they allocate nothing.
 */
export class OwnerWalk {
  /** Owner i was met by the walk under way if `#met[i] === #stamp`. */
  #met: Uint32Array = new Uint32Array(0);
  #stamp = 0;
  #walking = false;

  /**
   * The id of the first owner from place `start` on, around the circle, that is live and accepted.
   *
   * @param owners the owner at each place; what lies beyond `places` is not read but at `start`
   * @param live the ids by owner; `undefined` for an owner that is passed over
   * @param count how many owners are live: the walk ends when it has met them all
   */
  find(
    owners: Owners,
    places: number,
    start: number,
    live: readonly (string | undefined)[],
    count: number,
    accept: (id: string) => boolean,
  ): string | undefined {
    requireAccept(accept);
    if (count === 0) return undefined;
    const first = live[owners[start]!];
    if (first !== undefined && accept(first)) return first;
    // Only a call from within `accept` finds the walk under way; it gets marks of its own
    const walk = this.#walking ? new OwnerWalk() : this;
    return walk.#findNext(owners, places, start, live, count, accept);
  }

  #findNext(
    owners: Owners,
    places: number,
    start: number,
    live: readonly (string | undefined)[],
    count: number,
    accept: (id: string) => boolean,
  ): string | undefined {
    this.#begin(live.length);
    try {
      const met = this.#met;
      const stamp = this.#stamp;
      let toMeet = count;
      for (let step = 0, at = start; step <= places && toMeet > 0; step++, at++) {
        if (at >= places) at -= places;
        const owner = owners[at]!;
        const id = live[owner];
        if (id === undefined || met[owner] === stamp) continue;
        met[owner] = stamp;
        toMeet--;
        // `accept` saw the first one before the walk began
        if (step > 0 && accept(id)) return id;
      }
      return undefined;
    } finally {
      this.#walking = false;
    }
  }

  #begin(owners: number): void {
    this.#walking = true;
    if (this.#met.length < owners) {
      this.#met = new Uint32Array(owners * 2);
      this.#stamp = 0;
    }
    if (this.#stamp === 0xffffffff) {
      this.#met.fill(0);
      this.#stamp = 0;
    }
    this.#stamp++;
  }
}

/** @throws InvalidOptionError for what cannot be the `accept` of `find` */
export function requireAccept(accept: (id: string) => boolean): void {
  if (typeof accept === 'function') return;
  throw refused('accept', 'a function', accept, 'write `id => true` for the first node of all');
}

const countRule = required(integer(undefined, { min: 0 }), 'how many nodes to return');

/**
 * `getN` of a placement by its `find`: one node of each zone in order of preference, then others in that order.
 *
 * @param zoneOf the zone of a node; a node without one counts as a zone of its own
 * @param zones how many zones the nodes that may own keys lie in: lets the walk end early; too many is no error
 */
export function spread(
  placement: Pick<Placement, 'find' | 'size'>,
  key: Key,
  count: number,
  zoneOf: (id: string) => string | undefined,
  zones: number,
): string[] {
  const wanted = Math.min(countRule(count, 'count'), placement.size);
  checkedKey(key);
  if (wanted === 0) return [];
  const chosen: string[] = [];
  const others: string[] = [];
  const taken = new Set<string>();
  placement.find(key, id => {
    const zone = zoneOf(id);
    if (zone === undefined) {
      chosen.push(id);
    } else if (!taken.has(zone)) {
      taken.add(zone);
      chosen.push(id);
    } else if (others.length < wanted) {
      others.push(id);
    }
    return chosen.length === wanted || (chosen.length >= zones && chosen.length + others.length >= wanted);
  });
  return [...chosen, ...others].slice(0, wanted);
}
