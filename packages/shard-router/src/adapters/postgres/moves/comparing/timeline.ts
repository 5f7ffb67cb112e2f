import { LostCopyError } from '../../../../errors/moves.ts';
import { moveOf, schema } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import type { Sides } from './verifying.ts';

/** Notes which server of the target is compared: one that takes its place may lack what that had. */
export async function noteTimeline({ move, source, target }: Sides, signal: AbortSignal): Promise<void> {
  const timeline = await timelineOf(target, signal);
  await source.run(
    `UPDATE ${schema}.move SET verified = $2 WHERE id = $1`,
    [moveOf(move.id), `${move.id} ${timeline}`],
    signal,
  );
}

/** @throws LostCopyError when the target has failed over since it was compared */
export async function checkTimeline({ move, source, target }: Sides, signal: AbortSignal): Promise<void> {
  const timeline = await timelineOf(target, signal);
  const [row] = await source.run<{ verified: string | null }>(
    `SELECT verified FROM ${schema}.move WHERE id = $1`,
    [moveOf(move.id)],
    signal,
  );
  if (row?.verified === `${move.id} ${timeline}`) return;
  throw new LostCopyError(move.id, `${target.shard} has failed over since its rows were compared`);
}

/** Of the log that the server writes: another one after each promotion. */
async function timelineOf(target: SqlSession, signal: AbortSignal): Promise<string> {
  const [row] = await target.run<{ timeline: string }>(
    'SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) AS timeline',
    [],
    signal,
  );
  return row!.timeline;
}
