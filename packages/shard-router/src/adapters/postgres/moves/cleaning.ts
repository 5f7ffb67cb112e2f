import type { MoveSpec } from '../../../moves/move-backend.ts';
import { identifier, inSlices, moveOf, prefix, relation } from './names.ts';
import type { RelationRow } from './relations.ts';
import type { SqlSession } from './sessions/sql-session.ts';

/** For a transaction that the fence lets pass, and in which neither triggers nor foreign keys fire. */
export const pastFence = "SET LOCAL session_replication_role = replica; SET LOCAL ashlar.mover = 'on'";

/** Rows deleted in one transaction. */
const batch = 1_000;

/**
 * Deletes the rows of the moved slots in small batches, past the fence. Triggers and foreign keys do not fire: the rows live
 * on elsewhere, and so do those that refer to them.
 *
 * @param check rejects, in each transaction, when it must not go on
 */
export async function deleteRows(
  session: SqlSession,
  move: MoveSpec,
  relations: readonly RelationRow[],
  progress: (table: string, rows: number) => void,
  signal: AbortSignal,
  check: () => Promise<void> = async () => {},
): Promise<void> {
  for (const { table, primaryKey } of relations) {
    const key = primaryKey.map(identifier).join(', ');
    const where = inSlices(move, table, move.slices);
    let last: string | undefined;
    for (let rows = 0; ; ) {
      const [row] = await session.transaction(signal, async () => {
        await check();
        await session.run(pastFence, [], signal);
        const after = last === undefined ? '' : `AND ROW(${key}) > ${last}`;
        return session.run<{ count: number; last: string | null }>(
          `WITH part AS (SELECT ${key} FROM ${relation(table)} WHERE ${where} ${after} ORDER BY ${key} LIMIT ${batch}),
             gone AS (DELETE FROM ${relation(table)} WHERE (${key}) IN (SELECT ${key} FROM part))
           SELECT (SELECT count(*)::int FROM part) AS count,
             (SELECT 'ROW(' || concat_ws(', ', ${primaryKey.map(column => `quote_literal(${identifier(column)})`).join(', ')}) || ')'
               FROM part ORDER BY ${primaryKey.map(column => `${identifier(column)} DESC`).join(', ')} LIMIT 1) AS last`,
          [],
          signal,
        );
      });
      rows += row!.count;
      progress(table, rows);
      if (row!.count < batch) break;
      last = row!.last!;
    }
  }
}

/** What moves have left in a database, but for those that are not over. */
export async function leftovers(
  session: SqlSession,
  current: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const rows = await session.run<{ words: string; id: string }>(
    `SELECT words, id FROM (
       SELECT 'publication ' || pubname AS words, substr(pubname, ${prefix.length + 1}) AS id FROM pg_publication WHERE starts_with(pubname, '${prefix}')
       UNION ALL SELECT 'replication slot ' || slot_name, substr(slot_name, ${prefix.length + 1}) FROM pg_replication_slots
         WHERE starts_with(slot_name, '${prefix}') AND database = current_database()
       UNION ALL SELECT 'subscription ' || subname, substr(subname, ${prefix.length + 1}) FROM pg_subscription
         WHERE starts_with(subname, '${prefix}') AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       UNION ALL SELECT format('trigger %s of %s', tgname, tgrelid::regclass), regexp_replace(tgname, '^zz_ashlar_(.*)_..$', '\\1') FROM pg_trigger
         WHERE starts_with(tgname, 'zz_ashlar_') AND tgparentid = 0 AND NOT starts_with(tgname, 'zz_ashlar_gone_')
       UNION ALL SELECT 'function ' || p.oid::regprocedure, regexp_replace(p.proname, '^touch_(.*)_[0-9]+$', '\\1') FROM pg_proc p
         WHERE starts_with(p.proname, 'touch_') AND p.pronamespace = to_regnamespace('ashlar_shards')
     ) found ORDER BY words`,
    [],
    signal,
  );
  return rows.filter(({ id }) => !current.includes(moveOf(id))).map(({ words }) => words);
}
