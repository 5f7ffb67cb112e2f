import { InvalidOptionError } from '@ashlar/core';

/** More points than this, or entries, are refused: 128 MiB. */
const maxPoints = 2 ** 24;

/** @throws InvalidOptionError when the servers would need more points than can be held. */
export function requireRoom(points: number): void {
  if (points <= maxPoints) return;
  throw new InvalidOptionError(
    'nodes',
    `these nodes and weights need ${points} points, and no more than ${maxPoints} are held`,
  );
}

/** A table with an entry for each unit of weight. @throws InvalidOptionError when it would be too long */
export function entriesOf(
  servers: readonly { readonly owner: number; readonly weight: number }[],
): Uint32Array {
  const size = servers.reduce((sum, { weight }) => sum + weight, 0);
  requireRoom(size);
  const entries = new Uint32Array(size);
  let at = 0;
  for (const { owner, weight } of servers) {
    entries.fill(owner, at, at + weight);
    at += weight;
  }
  return entries;
}
