import type { Following, MoveSpec } from '../../../../moves/move-backend.ts';
import { backOf, nameOf } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

/** What is left at a shard of the direction that a committed move has ended, and whether this shard follows. */
const left = `
  SELECT (SELECT subenabled FROM pg_subscription WHERE subname = $1) AS follows,
    EXISTS (SELECT FROM pg_subscription WHERE subname = $2) OR EXISTS (SELECT FROM pg_publication WHERE pubname = $2)
      OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $2)
      OR EXISTS (SELECT FROM pg_trigger WHERE tgname = ANY ($3)) AS "isLeft"`;

/** How long an old source has to say how it follows, in milliseconds. */
const lookMs = 5_000;

type Look = <T>(shard: string, until: AbortSignal, work: (session: SqlSession) => Promise<T>) => Promise<T>;

/** How the old source of a committed move follows. Only looks. What the owner keeps for it counts also while that source does not answer. */
export function followingOf(move: MoveSpec, look: Look, signal: AbortSignal): Promise<Following> {
  return look(move.to, signal, async owner => {
    const until = AbortSignal.any([signal, AbortSignal.timeout(lookMs)]);
    try {
      return await look(move.from, until, old => found(move, old, owner, signal));
    } catch {
      signal.throwIfAborted();
      return found(move, undefined, owner, signal);
    }
  });
}

async function found(
  move: MoveSpec,
  old: SqlSession | undefined,
  owner: SqlSession,
  signal: AbortSignal,
): Promise<Following> {
  const back = backOf(move.id);
  const notes = [move.id, back].map(id => `zz_ashlar_${id}_ti`);
  const both = await Promise.all(
    [old, owner].map(each =>
      each?.run<{ follows: boolean | null; isLeft: boolean }>(
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
  const isLost = slot === undefined || slot.status === 'lost';
  const [here, there] = both.map(rows => rows?.[0]);
  if (here === undefined) return { state: isLost ? 'ended' : 'waiting', retainedBytes };
  const hasEnded = isLost || here.follows === null;
  const isWaiting = here.follows === false || here.isLeft || there!.isLeft;
  return { state: isWaiting ? 'waiting' : hasEnded ? 'ended' : 'follows', retainedBytes };
}
