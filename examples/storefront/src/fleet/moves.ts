import { HashRing } from '@ashlar/hash-ring';

/** What a change of the replicas did to the products. */
export interface Moves {
  /** Distinct products of the workload. */
  readonly products: number;
  /** Those that another replica owns than before. */
  readonly moved: number;
  /** What had to move: all that the one who left owned, or an even share for the one who joined. */
  readonly minimum: number;
  /** Of those that moved, the ones that neither left the one who left nor went to the one who joined. */
  readonly needless: number;
  /** The share of all possible keys that moved. */
  readonly shareOfKeySpace: number;
}

/**
 * Counts key by key what moves when the replicas `before` become those `after`, which differ by one: on the ring that
 * `consistent()` places requests by, which depends on nothing but the names.
 */
export function movesBetween(
  before: readonly string[],
  after: readonly string[],
  keys: Iterable<string>,
): Moves {
  const from = new HashRing(before);
  const to = new HashRing(after);
  const left = before.find(id => !after.includes(id));
  const joined = after.find(id => !before.includes(id));
  const counted = { products: 0, moved: 0, needless: 0 };
  let orphaned = 0;
  for (const key of keys) {
    const [owner, next] = [from.get(key), to.get(key)];
    counted.products++;
    if (owner === left) orphaned++;
    if (owner === next) continue;
    counted.moved++;
    if (owner !== left && next !== joined) counted.needless++;
  }
  return {
    ...counted,
    minimum: joined === undefined ? orphaned : Math.round(counted.products / after.length),
    shareOfKeySpace: from.movesTo(to).reduce((sum, { share }) => sum + share, 0),
  };
}
