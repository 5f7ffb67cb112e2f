import { HashRing, type Placement } from '@ashlar/hash-ring';
import type { Endpoint } from '../endpoint.ts';
import { weightOf } from '../endpoints.ts';

/** So many changes at once cost about as much as a new ring. */
const maxSteps = 8;

/** A ring that is changed to have these endpoints, each time it is asked, rather than made anew. */
export function followingRing(): (endpoints: readonly Endpoint[]) => Placement {
  let ring = new HashRing();
  let weights = new Map<string, number>();
  return endpoints => {
    const next = new Map(endpoints.map(endpoint => [endpoint.id, weightOf(endpoint)]));
    const left = [...weights.keys()].filter(id => !next.has(id));
    const changed = [...next].filter(([id, weight]) => weights.get(id) !== weight);
    if (left.length + changed.length > maxSteps) {
      ring = new HashRing(Array.from(next, ([id, weight]) => ({ id, weight })));
      weights = next;
      return ring;
    }
    // Noted step by step: a step that the ring refuses leaves the two agreed
    for (const id of left) {
      ring.remove(id);
      weights.delete(id);
    }
    for (const [id, weight] of changed) {
      if (ring.has(id)) ring.setWeight(id, weight);
      else ring.add({ id, weight });
      weights.set(id, weight);
    }
    return ring;
  };
}
