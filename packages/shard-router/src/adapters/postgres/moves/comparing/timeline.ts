import { LostCopyError } from '../../../../errors/moves.ts';
import { moveOf, schema } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import type { Sides } from './verifying.ts';

/**
 * Notes at both shards that their rows are compared, and on which server of the target: one that takes its place may lack what that had. What was
 * restored from before has no such note.
 */
export async function noteTimeline({ move, source, target }: Sides, signal: AbortSignal): Promise<void> {
  const note = `${move.id} ${await timelineOf(target, signal)} ${crypto.randomUUID()}`;
  for (const session of [target, source]) await noteAt(session, move.id, note, signal);
}

/** @throws LostCopyError when the target has failed over since it was compared, or a server was restored from before that */
export async function checkTimeline(sides: Sides, signal: AbortSignal): Promise<void> {
  const { move, target } = sides;
  const note = await checkRestored(sides, signal);
  if (note.startsWith(`${move.id} ${await timelineOf(target, signal)} `)) return;
  throw new LostCopyError(move.id, `${target.shard} has failed over since its rows were compared`);
}

/** Returns what both have noted. @throws LostCopyError when one of them was restored from before their rows were compared, or is another */
export async function checkRestored(
  { move, source, target }: Pick<Sides, 'move' | 'source' | 'target'>,
  signal: AbortSignal,
): Promise<string> {
  const [here, there] = [await noteOf(source, move.id, signal), await noteOf(target, move.id, signal)];
  if (here !== null && here === there) return here;
  throw new LostCopyError(
    move.id,
    `${source.shard} or ${target.shard} is not the server any more whose rows were compared`,
  );
}

export async function noteAt(
  session: SqlSession,
  move: string,
  note: string,
  signal: AbortSignal,
): Promise<void> {
  await session.run(`UPDATE ${schema}.move SET verified = $2 WHERE id = $1`, [moveOf(move), note], signal);
}

async function noteOf(session: SqlSession, move: string, signal: AbortSignal): Promise<string | null> {
  const [row] = await session.run<{ verified: string | null }>(
    `SELECT verified FROM ${schema}.move WHERE id = $1`,
    [moveOf(move)],
    signal,
  );
  return row?.verified ?? null;
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
