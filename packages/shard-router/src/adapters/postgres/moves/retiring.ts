import { FenceBusyError } from '../../../errors/moves.ts';
import type { MoveSpec } from '../../../moves/move-backend.ts';
import { closeGone, lockGone, openGone } from './fence.ts';
import { inSlices, relation } from './names.ts';
import { created, createNotes } from './sessions/session.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { busyCodes } from './sessions/unhurried.ts';

/**
 * Refuses rows of these slots at their shard from now on. Returns the tables that have some: with such and without `keepsRows`, nothing is
 * changed.
 *
 * @throws FenceBusyError when transactions on the tables take longer than `withinMs`
 */
export async function retire(
  session: SqlSession,
  move: MoveSpec,
  { withinMs, keepsRows }: { readonly withinMs: number; readonly keepsRows: boolean },
  signal: AbortSignal,
): Promise<readonly string[]> {
  await createNotes(session, signal);
  // Without the lock, under which the tables are read again, in vain or quickly
  const early = await tablesWithRows(session, move, signal);
  if (early.length > 0 && !keepsRows) return early;
  const tables = Object.keys(move.tables).sort().map(relation);
  try {
    return await session.transaction(signal, async () => {
      await session.run(`SET LOCAL statement_timeout = ${Math.max(1, Math.round(withinMs))}`, [], signal);
      await lockGone(session, signal);
      await session.run(`LOCK TABLE ${tables.join(', ')} IN SHARE ROW EXCLUSIVE MODE`, [], signal);
      await session.run('SET LOCAL statement_timeout = 0', [], signal);
      const found = await tablesWithRows(session, move, signal);
      if (found.length === 0 || keepsRows) await closeGone(session, move, signal);
      return found;
    });
  } catch (error) {
    if (busyCodes.has((error as { code?: string }).code ?? ''))
      throw new FenceBusyError(session.shard, { cause: error });
    throw error;
  }
}

/** Lets rows of these slots, which nobody has, be written at a shard. */
export async function admit(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const [row] = await session.run<{ found: boolean }>(created, [], signal);
  // Nothing has moved here yet
  if (row!.found) await openGone(session, move, signal);
}

/** The tables that have rows of the slots. */
export async function tablesWithRows(
  session: SqlSession,
  move: MoveSpec,
  signal: AbortSignal,
): Promise<string[]> {
  const found: string[] = [];
  for (const table of Object.keys(move.tables).sort()) {
    const [row] = await session.run<{ is: boolean }>(
      `SELECT EXISTS (SELECT FROM ${relation(table)} WHERE ${inSlices(move, table, move.slices)}) AS is`,
      [],
      signal,
    );
    if (row!.is) found.push(table);
  }
  return found;
}
