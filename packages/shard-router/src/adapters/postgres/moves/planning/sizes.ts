import type { SlotSpace } from '../../../../keys/slot-space.ts';
import { Slots } from '../../../../keys/slots.ts';
import type { Tables } from '../../../../tables/table.ts';
import { identifier, relation } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

/** About so many rows of a table are looked at: of a larger one, a part of its pages. */
const sampledRows = 200_000;

/** Bytes of each slot in a database, with indexes and what is stored out of line. */
export async function slotSizes(
  session: SqlSession,
  space: SlotSpace,
  tables: Tables,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  const slots = new Slots(space.key, space.slots, space);
  const sizes = new Map<number, number>();
  for (const [table, { key }] of Object.entries(tables)) {
    const [of] = await session.run<{ bytes: number; rows: number; isParted: boolean }>(
      `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 AS bytes,
         coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 AS rows, count(*) > 1 AS "isParted"
       FROM pg_class c WHERE c.relkind = 'r' AND
         (c.oid = to_regclass($1) OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1))))`,
      [relation(table)],
      signal,
    );
    const { bytes, rows, isParted } = of!;
    if (bytes === 0) continue;
    // Of partitions of unlike sizes, all. A sample has whole pages, so it says sizes as well
    const percent = isParted || rows <= sampledRows ? 100 : Math.max(0.1, (100 * sampledRows) / rows);
    const sample = percent === 100 ? '' : `TABLESAMPLE SYSTEM (${percent})`;
    const found = await session.run<{ slot: number | null; weight: number }>(
      `SELECT ${slots.tableSql(table, key.map(identifier))}::int AS slot, sum(pg_column_size(t.*))::float8 AS weight
       FROM ${relation(table)} t ${sample} GROUP BY 1`,
      [],
      signal,
    );
    const all = found.reduce((sum, { weight }) => sum + weight, 0);
    for (const { slot, weight } of found)
      if (slot !== null) sizes.set(slot, (sizes.get(slot) ?? 0) + (weight / all) * bytes);
  }
  return sizes;
}
