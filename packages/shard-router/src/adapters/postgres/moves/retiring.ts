import { FenceBusyError, MoveRefusedError, StaleMoveError } from '../../../errors/moves.ts';
import type { MoveContext, MoveSpec } from '../../../moves/move-backend.ts';
import { deleteRows } from './cleaning.ts';
import { areGone, closeGone, lockGone, openGone } from './gone.ts';
import { inSlices, relation } from './names.ts';
import { relationsOf } from './relations.ts';
import { createNotes, noting } from './sessions/session.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { busyCodes, unhurried } from './sessions/unhurried.ts';

/**
 * Refuses rows of these slots at their shard from now on. Returns the tables that have some: with such and without `keepsRows`, nothing is
 * changed.
 *
 * @throws FenceBusyError when transactions on the tables take longer than `withinMs`; StaleMoveError
 */
export async function retire(
  session: SqlSession,
  move: MoveSpec,
  { token, signal }: Pick<MoveContext, 'token' | 'signal'>,
  { withinMs, keepsRows }: { readonly withinMs: number; readonly keepsRows: boolean },
): Promise<readonly string[]> {
  await createNotes(session, signal);
  // Without the lock, under which the tables are read again, in vain or quickly
  const early = await tablesWithRows(session, move, signal);
  if (early.length > 0 && !keepsRows) return early;
  const tables = Object.keys(move.tables).sort().map(relation);
  try {
    return await session.transaction(signal, async () => {
      await session.run(`SET LOCAL statement_timeout = ${Math.max(1, Math.round(withinMs))}`, [], signal);
      await supersede(session, move, token, signal);
      await lockGone(session, signal);
      await session.run(`LOCK TABLE ${tables.join(', ')} IN SHARE ROW EXCLUSIVE MODE`, [], signal);
      await session.run('SET LOCAL statement_timeout = 0', [], signal);
      const found = await tablesWithRows(session, move, signal);
      if (found.length === 0 || keepsRows) await closeGone(session, move, move.slices, signal);
      return found;
    });
  } catch (error) {
    if (busyCodes.has((error as { code?: string }).code ?? ''))
      throw new FenceBusyError(session.shard, { cause: error });
    throw error;
  }
}

/** Lets rows of these slots, which nobody has, be written at a shard. @throws StaleMoveError */
export async function admit(
  session: SqlSession,
  move: MoveSpec,
  { token, signal }: Pick<MoveContext, 'token' | 'signal'>,
): Promise<void> {
  await createNotes(session, signal);
  await unhurried(session, signal, async () => {
    await supersede(session, move, token, signal);
    await openGone(session, move, signal);
  });
}

/**
 * Deletes the rows of these slots at a shard which refuses them, since it has lost them for good. Each transaction looks whether it still does:
 * what a move or `admit` has brought back since is somebody's. Returns how many.
 *
 * @throws MoveRefusedError when it does not refuse them
 */
export async function purge(
  session: SqlSession,
  move: MoveSpec,
  { signal, progress }: Pick<MoveContext, 'signal' | 'progress'>,
): Promise<number> {
  await createNotes(session, signal);
  const refused = async () => {
    if (await areGone(session, move, signal)) return;
    const words = `${session.shard} takes writes of them: delete them there as other rows`;
    throw new MoveRefusedError('rows cannot be purged', [{ kind: 'not_gone', shard: session.shard, words }]);
  };
  const deleted = new Map<string, number>();
  const told = (table: string, rows: number) => {
    deleted.set(table, rows);
    progress({ table, rows });
  };
  await deleteRows(session, move, await relationsOf(session, move, signal), told, signal, refused);
  return [...deleted.values()].reduce((sum, rows) => sum + rows, 0);
}

/** Ends what an earlier holder of the entries has still on its way here. In a transaction. @throws StaleMoveError */
async function supersede(
  session: SqlSession,
  { router }: MoveSpec,
  token: bigint,
  signal: AbortSignal,
): Promise<void> {
  const noted = await session.run(noting, [`entries of ${router}`, String(token), false], signal);
  if (noted.length === 0) throw new StaleMoveError('of entries');
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
