import { MoveRefusedError } from '../../../errors/moves.ts';
import { isIn, slotsOf } from '../../../keys/slices.ts';
import type { MoveSpec, Obstacle, Slice } from '../../../moves/move-backend.ts';
import { rowsAtTarget } from '../../../moves/obstacle.ts';
import { closeTarget, denyTruncate, dropFence } from './fence.ts';
import { liveSlices, moveOf, relation, schema } from './names.ts';
import { relationsOf } from './relations.ts';
import { tablesWithRows } from './retiring.ts';
import { created } from './sessions/session.ts';
import type { SqlSession } from './sessions/sql-session.ts';

/** Rows of the moved slots that are at the target, which the map does not give it. */
export async function obstaclesAtTarget(
  move: MoveSpec,
  target: SqlSession,
  signal: AbortSignal,
): Promise<Obstacle[]> {
  const tables = await tablesWithRows(target, move, signal);
  const rows = tables.map(table => ({ kind: 'rows_at_target', table, words: rowsAtTarget }));
  const fences = await fencesLeft(target, move, signal);
  return [...rows, ...fences].map(each => ({ ...each, shard: target.shard }));
}

/** Fences of moves that were finished without this shard, which would refuse what this one brings. */
async function fencesLeft(
  target: SqlSession,
  move: MoveSpec,
  signal: AbortSignal,
): Promise<Omit<Obstacle, 'shard'>[]> {
  const [notes] = await target.run<{ found: boolean }>(created, [], signal);
  if (!notes!.found) return [];
  const names = Object.keys(move.tables);
  const rows = await target.run<{ id: string; slices: readonly Slice[]; table: string }>(
    `SELECT f.id, f.slices, min(w.name) AS "table" FROM ${schema}.fence f, unnest($1::text[], $2::text[]) w (name, quoted)
     WHERE f.opened < f.attempt AND NOT starts_with(f.id, 'gone_') AND left(f.id, -2) <> $3 AND EXISTS (SELECT FROM pg_trigger t
       WHERE t.tgrelid = to_regclass(w.quoted) AND t.tgname = 'zz_ashlar_' || f.id || '_bi') GROUP BY f.id, f.slices`,
    [names, names.map(relation), moveOf(move.id)],
    signal,
  );
  return rows
    .filter(({ slices }) => slotsOf(liveSlices(move, slices)).some(slot => isIn(move.slices, slot)))
    .map(({ id, table }) => {
      const words = `the move ${moveOf(id)} was finished without this shard, and its fence still refuses these slots: make the tables anew`;
      return { kind: 'fence_left', table, words };
    });
}

/** Whether all rows of the moved slots at the target are of this move's copy. Others are never deleted. */
export async function isClaimed(target: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<boolean> {
  const [row] = await target.run<{ claimed: boolean }>(
    `SELECT claimed FROM ${schema}.move WHERE id = $1`,
    [moveOf(move.id)],
    signal,
  );
  return row?.claimed ?? false;
}

/**
 * Closes the fence of the target and looks behind it: when nothing is there, what comes is the copy's.
 *
 * @throws MoveRefusedError when somebody has put rows there; the fence is gone again
 */
export async function claim(target: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  if (await isClaimed(target, move, signal)) return;
  await denyTruncate(target, move, await relationsOf(target, move, signal), signal);
  await closeTarget(target, move, signal);
  const found = await obstaclesAtTarget(move, target, signal);
  if (found.length > 0) {
    await dropFence(target, move, 'restored', signal);
    throw new MoveRefusedError(`move ${moveOf(move.id)}`, found);
  }
  await target.run(`UPDATE ${schema}.move SET claimed = true WHERE id = $1`, [moveOf(move.id)], signal);
}
