import { FenceBusyError, LostCopyError } from '../../../errors/moves.ts';
import { slicesOf } from '../../../keys/slices.ts';
import type { MoveSpec, Slice } from '../../../moves/move-backend.ts';
import { areGone, closeGone, goneOf, parted, setGone } from './gone.ts';
import { backOf, inSlices, relation, schema } from './names.ts';
import type { RelationRow } from './relations.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { busyCodes, unhurried } from './sessions/unhurried.ts';
import {
  close,
  dropTriggers,
  fenceTables,
  functions,
  noteClosed,
  type Refusal,
  rowTriggers,
  triggerName,
  truncate,
} from './triggers.ts';

/** Keeps tables from being truncated, at source and target: their rows are replicated, a truncation is not. */
export async function denyTruncate(
  session: SqlSession,
  move: MoveSpec,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<void> {
  await session.run(functions, [], signal);
  const name = triggerName(move.id, truncate);
  for (const { members } of relations) {
    for (const member of members) {
      await unhurried(session, signal, () =>
        session.run(
          `CREATE OR REPLACE TRIGGER ${name} BEFORE TRUNCATE ON ${member} FOR EACH STATEMENT
           EXECUTE FUNCTION ${schema}.deny_truncate(); ALTER TABLE ${member} ENABLE ALWAYS TRIGGER ${name}`,
          [],
          signal,
        ),
      );
    }
  }
}

/** Closes the fence of slots that this shard does not have yet. Those that it had once, and gave away, are with this move now. */
export async function closeTarget(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  await unhurried(session, signal, async () => {
    const gone = await goneOf(session, move, signal);
    const { within, without } = parted(gone.slots, move.slices);
    await close(session, move, move.id, { ...refusalOf(move), restored: slicesOf(within) }, signal);
    if (within.length > 0) await setGone(session, move, { ...gone, slots: without }, signal);
  });
}

/** How the fence of a source is closed. */
export interface Closing {
  readonly withinMs: number;
  /** All tables in one transaction, where no other session is. */
  readonly together?: boolean;
  /** Called when writes begin to wait. */
  readonly closing?: (() => void) | undefined;
}

/**
 * Closes the fence of the source. The lock of each table waits for all who write it, or hold rows of it `FOR UPDATE`, and none begins meanwhile.
 * Each is closed in a transaction of its own: who holds the lock of one and waits for another would be a deadlock with whoever writes them in the
 * other order, or has a foreign key looked at.
 *
 * @throws FenceBusyError when they take longer than `withinMs`: no table is closed then
 */
export async function closeSource(
  session: SqlSession,
  move: MoveSpec,
  { withinMs, together = false, closing }: Closing,
  signal: AbortSignal,
): Promise<void> {
  const names = Object.keys(move.tables).sort();
  const until = performance.now() + withinMs;
  let attempt: number | undefined;
  try {
    for (const tables of together ? [names] : names.map(name => [name])) {
      attempt = await session.transaction(signal, async () => {
        const leftMs = Math.max(1, Math.round(until - performance.now()));
        await session.run(`SET LOCAL statement_timeout = ${leftMs}`, [], signal);
        if (attempt === undefined) closing?.();
        // In one message: writes wait from here on
        const lock = `LOCK TABLE ${tables.map(relation).join(', ')} IN EXCLUSIVE MODE`;
        await session.run(`${lock}; SET LOCAL statement_timeout = 0`, [], signal);
        const { isRefused, slices } = refusalOf(move);
        const of = attempt ?? (await noteClosed(session, move.id, { slices }, signal));
        await fenceTables(session, tables, { id: move.id, attempt: of, isRefused }, signal);
        return of;
      });
    }
  } catch (error) {
    if (!busyCodes.has((error as { code?: string }).code ?? '')) throw error;
    if (attempt !== undefined) await open(session, [move.id], signal);
    throw new FenceBusyError(session.shard, { cause: error });
  }
}

/** Lets rows be written again at once, without waiting for anybody. The triggers go later, with `dropFence`. */
export async function open(session: SqlSession, ids: readonly string[], signal: AbortSignal): Promise<void> {
  await session.run(`UPDATE ${schema}.fence SET opened = attempt WHERE id = ANY ($1)`, [ids], signal);
}

/**
 * Lets the rows of a move be written at its target.
 *
 * @throws LostCopyError where its source can be written: that is not what was compared, but a server that was brought in place of it
 */
export async function openTarget(
  { move, source, target }: Record<'source' | 'target', SqlSession> & { readonly move: MoveSpec },
  signal: AbortSignal,
): Promise<void> {
  const closed = await source.run(
    `SELECT FROM ${schema}.fence WHERE id = $1 AND opened < attempt`,
    [move.id],
    signal,
  );
  if (closed.length === 0) throw new LostCopyError(move.id, `${move.from} has no fence of it any more`);
  await open(target, [move.id, backOf(move.id)], signal);
}

/** Whether the fence stands as it was closed: nobody has dropped or disabled a trigger of it, nor of what keeps tables from being truncated. */
export async function stands(
  session: SqlSession,
  move: MoveSpec,
  relations: readonly RelationRow[],
  signal: AbortSignal,
): Promise<boolean> {
  const tables = Object.keys(move.tables).map(relation);
  const members = relations.flatMap(each => each.members);
  const names = rowTriggers.map(({ suffix }) => triggerName(move.id, suffix));
  // Made for the first direction, and kept for the other
  const truncations = [move.id, backOf(move.id)].map(id => triggerName(id, truncate));
  const [row] = await session.run<{ count: number; members: number; isClosed: boolean }>(
    `SELECT (SELECT count(*)::int FROM pg_trigger t JOIN unnest($1::text[]) w (name) ON t.tgrelid = to_regclass(w.name)
         WHERE t.tgname = ANY ($2) AND t.tgenabled = 'A') AS count,
       (SELECT count(DISTINCT t.tgrelid)::int FROM pg_trigger t JOIN unnest($3::text[]) w (name) ON t.tgrelid = to_regclass(w.name)
         WHERE t.tgname = ANY ($4) AND t.tgenabled = 'A') AS members,
       EXISTS (SELECT FROM ${schema}.fence WHERE id = $5 AND opened < attempt) AS "isClosed"`,
    [tables, names, members, truncations, move.id],
    signal,
  );
  return row!.isClosed && row!.count === tables.length * names.length && row!.members === members.length;
}

/** Closes for good what the fence of a committed move does not refuse any more, as at a source that has come back from a backup. */
export async function closeMissing(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const found = await session.run(`SELECT FROM ${schema}.fence WHERE id = $1`, [move.id], signal);
  if (found.length > 0) return;
  await unhurried(session, signal, async () => {
    if (!(await areGone(session, move, signal))) await closeGone(session, move, move.slices, signal);
  });
}

/** Ends the fence of a move. Slots that stay away from here are in the fence of those that are gone, before this one ends. */
export async function dropFence(
  session: SqlSession,
  move: MoveSpec,
  staysAway: 'all' | 'restored' | 'none',
  signal: AbortSignal,
): Promise<void> {
  const [row] = await session.run<{ slices: Slice[]; restored: Slice[] }>(
    `SELECT slices, restored FROM ${schema}.fence WHERE id = $1`,
    [move.id],
    signal,
  );
  const away =
    row === undefined || staysAway === 'none' ? [] : staysAway === 'all' ? row.slices : row.restored;
  if (away.length > 0) await unhurried(session, signal, () => closeGone(session, move, away, signal));
  const names = [...rowTriggers.map(each => each.suffix), truncate].map(each => triggerName(move.id, each));
  await dropTriggers(session, names, signal);
  // At the end: who dies before that drops the rest when it goes on
  await session.run(`DELETE FROM ${schema}.fence WHERE id = $1`, [move.id], signal);
}

function refusalOf(move: MoveSpec): Refusal {
  return { slices: move.slices, isRefused: (table, of) => inSlices(move, table, move.slices, of) };
}
