import { spaceOf } from '../../keys/slot-space.ts';
import type { ShardMap } from '../../map/shard-map.ts';
import type { ExtendedFences } from '../move-backend.ts';
import { movedTables } from '../moved-tables.ts';
import type { MoverSettings } from '../mover-options.ts';

/** Has the fences of what shards have lost stand at all tables. Returns those at which they did not. */
export async function extendFences(
  { backend, name, tables }: MoverSettings,
  map: ShardMap,
  signal: AbortSignal,
): Promise<ExtendedFences> {
  const all = movedTables(map, [{ from: 0, to: map.slots }], tables);
  return (await backend.extendFences?.(name, { ...spaceOf(map), tables: all }, signal)) ?? {};
}
