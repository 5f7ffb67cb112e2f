import type { Following, MoveSpec } from '../../../../moves/move-backend.ts';
import { backOf, nameOf } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

/** What is left at a shard of the direction that a committed move has ended, and whether this shard follows. */
const left = `
  SELECT (SELECT subenabled FROM pg_subscription WHERE subname = $1) AS follows,
    EXISTS (SELECT FROM pg_subscription WHERE subname = $2) OR EXISTS (SELECT FROM pg_publication WHERE pubname = $2)
      OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $2)
      OR EXISTS (SELECT FROM pg_trigger WHERE tgname = ANY ($3)) AS "isLeft"`;

/** How the old source of a committed move follows. Only looks. */
export async function followingOf(
  move: MoveSpec,
  old: SqlSession,
  owner: SqlSession,
  signal: AbortSignal,
): Promise<Following> {
  const back = backOf(move.id);
  const notes = [move.id, back].map(id => `zz_ashlar_${id}_ti`);
  const [here, there] = await Promise.all(
    [old, owner].map(each =>
      each.run<{ follows: boolean | null; isLeft: boolean }>(
        left,
        [nameOf(back), nameOf(move.id), notes],
        signal,
      ),
    ),
  );
  const [slot] = await owner.run<{ status: string | null; retained: number }>(
    `SELECT wal_status AS status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS retained
     FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()`,
    [nameOf(back)],
    signal,
  );
  const retainedBytes = slot?.retained ?? 0;
  const hasEnded = slot === undefined || slot.status === 'lost' || here![0]!.follows === null;
  const isWaiting = here![0]!.follows === false || here![0]!.isLeft || there![0]!.isLeft;
  return { state: isWaiting ? 'waiting' : hasEnded ? 'ended' : 'follows', retainedBytes };
}
