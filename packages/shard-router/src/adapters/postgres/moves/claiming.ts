import { MoveRefusedError } from '../../../errors/moves.ts';
import type { MoveSpec, Obstacle } from '../../../moves/move-backend.ts';
import { rowsAtTarget } from '../../../moves/obstacle.ts';
import { closeTarget, denyTruncate, dropFence } from './fence.ts';
import { moveOf, schema } from './names.ts';
import { relationsOf } from './relations.ts';
import { tablesWithRows } from './retiring.ts';
import type { SqlSession } from './sessions/sql-session.ts';

/** Rows of the moved slots that are at the target, which the map does not give it. */
export async function obstaclesAtTarget(
  move: MoveSpec,
  target: SqlSession,
  signal: AbortSignal,
): Promise<Obstacle[]> {
  const tables = await tablesWithRows(target, move, signal);
  return tables.map(table => ({ kind: 'rows_at_target', shard: target.shard, table, words: rowsAtTarget }));
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
