import { Backoff, sleep } from '@ashlar/core';
import type { SqlSession } from './sql-session.ts';

/** Somebody holds what is needed: a lock in time, a statement in time, a deadlock. */
export const busyCodes: ReadonlySet<string> = new Set(['55P03', '57014', '40P01']);

/** The longest that anybody waits behind a lock that we wait for, in milliseconds. */
const lockMs = 100;

/**
 * Runs a change of tables in a transaction as often as needed, until nobody is in its way. Never waits long in the queue of
 * a lock, where all that comes after would wait too.
 */
export async function unhurried<T>(
  session: SqlSession,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const pauses = new Backoff({ firstMs: 50, maxMs: 1_000 });
  for (;;) {
    try {
      return await session.transaction(signal, async () => {
        await session.run(`SET LOCAL lock_timeout = ${lockMs}`, [], signal);
        return work();
      });
    } catch (error) {
      if (!busyCodes.has((error as { code?: string }).code ?? '')) throw error;
      await sleep(pauses.nextMs(), signal);
    }
  }
}
