import type { MoveSpec } from '../../src/moves/move-backend.ts';

/** A move of the lower half of the slots from the shard `one` to `two`. */
export function halfOf(
  { key, slots, tables }: Pick<MoveSpec, 'key' | 'slots' | 'tables'>,
  id = 'half',
): MoveSpec {
  const slices = [{ from: 0, to: slots / 2 }];
  return { id, router: 'shards', from: 'one', to: 'two', slices, key, slots, tables };
}
