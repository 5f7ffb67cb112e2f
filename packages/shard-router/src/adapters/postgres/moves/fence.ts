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
  functions,
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

/**
 * Closes the fence of the source. The lock waits for all who write the tables, or hold rows of them `FOR UPDATE`, and none begins meanwhile.
 *
 * @param closing called when writes begin to wait
 * @throws FenceBusyError when they take longer than `withinMs`
 */
export async function closeSource(
  session: SqlSession,
  move: MoveSpec,
  withinMs: number,
  signal: AbortSignal,
  closing?: () => void,
): Promise<void> {
  const tables = Object.keys(move.tables).sort().map(relation);
  try {
    await session.transaction(signal, async () => {
      await session.run(`SET LOCAL statement_timeout = ${Math.max(1, Math.round(withinMs))}`, [], signal);
      closing?.();
      // In one message: writes wait from here on
      const lock = `LOCK TABLE ${tables.join(', ')} IN EXCLUSIVE MODE`;
      await session.run(`${lock}; SET LOCAL statement_timeout = 0`, [], signal);
      await close(session, move, move.id, refusalOf(move), signal);
    });
  } catch (error) {
    if (busyCodes.has((error as { code?: string }).code ?? ''))
      throw new FenceBusyError(session.shard, { cause: error });
    throw error;
  }
}

/** Lets rows be written again at once, without waiting for anybody. The triggers go later, with `dropFence`. Says whether there is any such fence. */
export async function open(
  session: SqlSession,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const found = await session.run(
    `UPDATE ${schema}.fence SET opened = attempt WHERE id = ANY ($1) RETURNING id`,
    [ids],
    signal,
  );
  return found.length > 0;
}

/**
 * Lets the rows of a move be written at its target.
 *
 * @throws LostCopyError for what has no fence of it: that is not what was compared, but a server that was brought in place of it
 */
export async function openTarget(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  if (await open(session, [move.id, backOf(move.id)], signal)) return;
  throw new LostCopyError(move.id, `${move.to} has no rows of it any more`);
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
