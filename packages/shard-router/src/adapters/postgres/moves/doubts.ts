import { prefixOf } from '../../../two-phase/names.ts';
import { Recovery } from '../../../two-phase/recovery.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import type { Workers } from './sessions/workers.ts';

/** A part of a transaction that has waited for so long, in milliseconds, is not of one that is about to commit. */
const leftMs = 1_000;

/**
 * Settles what transactions of the router over several shards have left in doubt at the source: they lock its rows, so its fence could not be
 * closed, and no router may be there to do it.
 */
export async function settleDoubts(
  workers: Workers,
  source: SqlSession,
  router: string,
  signal: AbortSignal,
): Promise<void> {
  const [row] = await source.run<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)
       AND prepared < clock_timestamp() - interval '${leftMs} ms') AS found`,
    [prefixOf(router)],
    signal,
  );
  if (!row!.found) return;
  const shards = Object.fromEntries(
    workers.shards.map(shard => [
      shard,
      {
        write: <T>(work: (client: unknown) => Promise<T>) =>
          workers.look(shard, signal, session => work(clientOf(session, signal))),
      },
    ]),
  );
  await new Recovery(router, shards).run(leftMs, [source.shard]);
}

function clientOf(session: SqlSession, signal: AbortSignal) {
  return {
    async query(text: string, values: unknown[] = []) {
      return { rows: await session.run(text, values, signal) };
    },
  };
}
