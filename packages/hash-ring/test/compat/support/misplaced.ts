import type { Placement } from '../../../src/index.ts';

/** The keys that a placement gives to others than the real owners, with both: empty where it is compatible. */
export function misplaced(
  placement: Placement,
  keys: readonly string[],
  owners: readonly string[],
): string[] {
  if (keys.length !== owners.length) throw new Error(`${keys.length} keys have ${owners.length} owners`);
  return keys.flatMap((key, i) => {
    const placed = placement.get(key);
    return placed === owners[i] ? [] : [`${key}: ${placed}, really ${owners[i]}`];
  });
}
