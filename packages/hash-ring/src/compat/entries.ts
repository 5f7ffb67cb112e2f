import { requireRoom } from './options.ts';

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
