import { integerOption } from '@ashlar/core';
import type { Key, Placement } from './placement.ts';

/**
 * `getN` of a placement by its `find`: one node of each zone in order of preference, then others in that order.
 *
 * @param zoneOf the zone of a node; a node without one counts as a zone of its own
 * @param zones how many zones the nodes that may be given out lie in: lets the walk end early; too many is no error
 */
export function spread(
  placement: Pick<Placement, 'find' | 'size'>,
  key: Key,
  count: number,
  zoneOf: (id: string) => string | undefined,
  zones: number,
): string[] {
  const wanted = Math.min(integerOption('count', count, { min: 0 }), placement.size);
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
