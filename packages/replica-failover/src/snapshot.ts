import type { LeadingSnapshot } from './leading/snapshot.ts';
import type { Watch } from './watching/watch.ts';

export interface ServerSnapshot {
  readonly id: string;
  readonly region: string | undefined;
  readonly state: 'new' | 'up' | 'down';
  readonly role: 'primary' | 'replica' | undefined;
  /** A primary of an earlier term, which refuses writes. */
  readonly isFenced: boolean;
  /** Where it is, as text, since it may be beyond the safe integers. */
  readonly position: { readonly term: number; readonly offset: string } | undefined;
  /** How old, at most, the oldest write is that it misses, in milliseconds; undefined when that is not known. */
  readonly stalenessMs: number | undefined;
  /** The average round trip of a look, in milliseconds. */
  readonly roundTripMs: number | undefined;
}

/** JSON-safe. */
export interface ReplicaSetSnapshot {
  readonly name: string;
  readonly authority: string;
  readonly state: 'open' | 'closed';
  readonly term: number | undefined;
  readonly primary: string | undefined;
  readonly servers: readonly ServerSnapshot[];
  /** Where the set leads. */
  readonly leading: LeadingSnapshot | undefined;
}

export function serverSnapshots<C>({ servers, trail, ends }: Watch<C>, now: number): ServerSnapshot[] {
  return servers.map(({ id, region, state, sighting, roundTripMs }) => {
    const staleness = sighting && trail.stalenessMs(step => ends.coverage(step, sighting) === 'covered', now);
    return {
      id,
      region,
      state,
      role: sighting?.role,
      isFenced: sighting?.isFenced ?? false,
      position: sighting && {
        term: sighting.position.term,
        offset: String(sighting.position.offset),
      },
      stalenessMs: staleness === Infinity ? undefined : staleness,
      roundTripMs,
    };
  });
}
