import { type KeyTexts, numberedEntries } from '../../../keys/layout.ts';
import { isIn, slicesOf, slotsOf } from '../../../keys/slices.ts';
import type { MoveSpec, Slice } from '../../../moves/move-backend.ts';
import { goneOfMap, inSlices, liveSlices, schema } from './names.ts';
import type { SqlSession } from './sessions/sql-session.ts';
import { close, functions, type Refusal } from './triggers.ts';

/** What has left a shard for good, as the map of now calls it. */
interface Gone {
  readonly slots: readonly number[];
  /** Keys that have no number any more: another key has got it. */
  readonly keys: readonly KeyTexts[];
}

/** In the database: of a directory that gives numbers again, the keys. Else a number would mean another key one day, and its own be let in. */
type Stored = Slice | { readonly key: KeyTexts };

/**
 * Keeps others from changing what is gone until the transaction ends: what is written follows from what was read. Before any lock of a
 * table.
 */
export async function lockGone(session: SqlSession, signal: AbortSignal): Promise<void> {
  await session.run('SELECT pg_advisory_xact_lock(hashtext($1))', [`${schema} gone`], signal);
}

/** In a transaction that changes it. */
export async function goneOf(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<Gone> {
  await lockGone(session, signal);
  return storedGone(session, move, signal);
}

/** Closes the fence for good of slots that this shard has had until now. In a transaction that has locked the tables, after `lockGone`. */
export async function closeGone(
  session: SqlSession,
  move: MoveSpec,
  slices: readonly Slice[],
  signal: AbortSignal,
): Promise<void> {
  await session.run(functions, [], signal);
  const { slots, keys } = await goneOf(session, move, signal);
  await setGone(session, move, { slots: [...slots, ...slotsOf(slices)], keys }, signal);
}

/** Opens what the fence of what is gone refuses of slots that nobody has. In a transaction. */
export async function openGone(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const found = await goneOf(session, move, signal);
  const { within, without } = parted(found.slots, move.slices);
  if (within.length > 0) await setGone(session, move, { ...found, slots: without }, signal);
}

/** Whether all of these slots are gone, and stay so until the transaction ends. */
export async function areGone(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<boolean> {
  const slots = new Set((await goneOf(session, move, signal)).slots);
  return slotsOf(move.slices).every(slot => slots.has(slot));
}

export async function setGone(
  session: SqlSession,
  move: MoveSpec,
  gone: Gone,
  signal: AbortSignal,
): Promise<void> {
  await close(session, move, goneOfMap(move.router), goneRefusal(move, gone), signal);
}

/** What the fence refuses of what is gone. */
export function goneRefusal(move: MoveSpec, { slots, keys }: Gone): Refusal {
  const slices = slicesOf([...new Set(slots)]);
  const its = new Map(numberedEntries(move).map(({ key, slot }) => [slot, key]));
  const stored = slotsOf(slices).every(slot => its.has(slot))
    ? [...slotsOf(slices).map(slot => its.get(slot)!), ...keys].map(key => ({ key }))
    : slices;
  const others = ofKeys(move, keys);
  const isRefused = (table: string, of: string) =>
    [
      inSlices(move, table, slices, of),
      ...(keys.length === 0 ? [] : [inSlices(others, table, others.slices, of)]),
    ].join(' OR ');
  return { slices: stored, isRefused };
}

/** The slots that are among the slices, and the others. */
export function parted(
  slots: readonly number[],
  slices: readonly Slice[],
): { readonly within: readonly number[]; readonly without: readonly number[] } {
  return {
    within: slots.filter(slot => isIn(slices, slot)),
    without: slots.filter(slot => !isIn(slices, slot)),
  };
}

async function storedGone(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<Gone> {
  const statement = `SELECT slices FROM ${schema}.fence WHERE id = $1 AND opened < attempt`;
  const [row] = await session.run<{ slices: Stored[] }>(statement, [goneOfMap(move.router)], signal);
  const numbers = new Map(numberedEntries(move).map(({ key, slot }) => [JSON.stringify(key), slot]));
  const slices: Slice[] = [];
  const keys: KeyTexts[] = [];
  for (const each of row?.slices ?? []) {
    const slot = 'key' in each ? numbers.get(JSON.stringify(each.key)) : undefined;
    if (slot !== undefined) slices.push({ from: slot, to: slot + 1 });
    else if ('key' in each) keys.push(each.key);
    else slices.push(each);
  }
  // Some may have been cut since
  return { slots: slotsOf(liveSlices(move, slices)), keys };
}

/** All rows of these keys, as a move. */
function ofKeys({ cuts: _, joins: __, layout, ...move }: MoveSpec, keys: readonly KeyTexts[]): MoveSpec {
  const isOfTables = layout?.kind === 'directory' && layout.of === 'tables';
  const entries = keys.map((key, slot) => ({ key, slot }));
  return {
    ...move,
    slots: keys.length,
    slices: [{ from: 0, to: keys.length }],
    layout: { kind: 'directory', ...(isOfTables && { of: 'tables' }), entries },
  };
}
