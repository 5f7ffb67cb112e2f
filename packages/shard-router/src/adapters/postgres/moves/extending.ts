import type { ExtendedFence, ExtendedFences, MoveSpace, MoveSpec } from '../../../moves/move-backend.ts';
import { goneOf, goneRefusal } from './gone.ts';
import { goneOfMap, relation, schema } from './names.ts';
import { created } from './sessions/session.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { unhurried } from './sessions/unhurried.ts';
import { fenceTables, rowTriggers, triggerName } from './triggers.ts';

/** Extends the fences of what is gone at all shards; one that does not answer keeps it from no other. */
export async function extendFences(
  shards: readonly string[],
  router: string,
  space: MoveSpace,
  look: <T>(shard: string, work: (session: SqlSession) => Promise<T>) => Promise<T>,
  signal: AbortSignal,
): Promise<ExtendedFences> {
  const extended: Record<string, readonly ExtendedFence[]> = {};
  const all = shards.map(async shard => {
    const spec: MoveSpec = { ...space, router, id: 'fences', from: shard, to: shard, slices: [] };
    extended[shard] = await look(shard, session => extendGone(session, spec, signal));
  });
  for (const each of await Promise.allSettled(all)) if (each.status === 'rejected') throw each.reason;
  return extended;
}

/**
 * Has the fence of what is gone stand also at tables that have come since it was closed. Returns those.
 */
async function extendGone(
  session: SqlSession,
  move: MoveSpec,
  signal: AbortSignal,
): Promise<readonly ExtendedFence[]> {
  const id = goneOfMap(move.router);
  const missing = await tablesWithout(session, id, Object.keys(move.tables), signal);
  if (missing.length === 0) return [];
  return unhurried(session, signal, async () => {
    const found = await goneOf(session, move, signal);
    const [row] = await session.run<{ attempt: number }>(
      `SELECT attempt FROM ${schema}.fence WHERE id = $1`,
      [id],
      signal,
    );
    const refusal = goneRefusal(move, found);
    await fenceTables(session, missing, { id, attempt: row!.attempt, isRefused: refusal.isRefused }, signal);
    const extended: ExtendedFence[] = [];
    for (const table of missing) {
      const [{ hasRows }] = (await session.run(
        `SELECT EXISTS (SELECT FROM ${relation(table)} WHERE ${refusal.isRefused(table, '')}) AS "hasRows"`,
        [],
        signal,
      )) as [{ hasRows: boolean }];
      extended.push({ table, hasRows });
    }
    return extended;
  });
}

/** The tables that are here, and where a fence that is closed does not stand. */
async function tablesWithout(
  session: SqlSession,
  id: string,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [notes] = await session.run<{ found: boolean }>(created, [], signal);
  if (!notes!.found) return [];
  const rows = await session.run<{ table: string }>(
    `SELECT w.name AS "table" FROM unnest($1::text[], $2::text[]) w (name, quoted)
     WHERE EXISTS (SELECT FROM ${schema}.fence WHERE id = $3 AND opened < attempt) AND to_regclass(w.quoted) IS NOT NULL
       AND (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = to_regclass(w.quoted) AND t.tgname = ANY ($4) AND t.tgenabled = 'A') < $5
     ORDER BY w.name`,
    [
      tables,
      tables.map(relation),
      id,
      rowTriggers.map(({ suffix }) => triggerName(id, suffix)),
      rowTriggers.length,
    ],
    signal,
  );
  return rows.map(({ table }) => table);
}
