import { LostCopyError } from '../../../errors/moves.ts';
import type { MoveSpec } from '../../../moves/move-backend.ts';
import { pastFence } from '../../postgres/moves/cleaning.ts';
import { isKeyed, keyOf } from '../../postgres/moves/comparing/row-keys.ts';
import { isIn, isNoting, type Touched, touched } from '../../postgres/moves/comparing/touched.ts';
import type { Sides } from '../../postgres/moves/comparing/verifying.ts';
import { backOf, identifier, inSlices, relation, schema } from '../../postgres/moves/names.ts';
import type { RelationRow } from '../../postgres/moves/relations.ts';
import type { SqlSession } from '../../postgres/moves/sessions/sql-session.ts';

type Pair = Pick<Sides, 'move' | 'source' | 'target' | 'relations'>;

/** The part of a table that is copied next. */
interface Part {
  readonly of: RelationRow;
  /** The last primary key of the part before it, as a list of JSON. */
  readonly after: string | undefined;
  readonly rows: number;
}

/** Under this name the notes are kept of rows that were brought over, and are to be compared. */
export function broughtOf(move: MoveSpec): MoveSpec {
  return { ...move, id: `${move.id}_c` };
}

/**
 * Brings over all rows that are noted as written, and a part of the others, as they are in one moment: gone where they are gone. So what is
 * at the target is always of one moment, and no two of its rows contradict each other. A note is kept until its row has arrived, so a
 * worker that dies loses none.
 *
 * @returns how many were noted, and the keys of the part
 * @throws LostCopyError when nobody has noted what was written, or the target is another than it was copied to
 */
export async function bring(
  { move, source, target, relations }: Pair,
  signal: AbortSignal,
  part?: Part,
): Promise<{ readonly noted: number; readonly keys: readonly string[] }> {
  const found = await source.transaction(signal, async () => {
    if (!(await isNoting(source, move, signal)))
      throw new LostCopyError(
        move.id,
        `somebody has dropped or disabled the triggers of the move at ${move.from}`,
      );
    const { rows: notes, snapshot } = await touched(source, move, signal);
    const keys = part === undefined ? [] : await keysOf(source, move, part, signal);
    const rows: { of: RelationRow; keys: readonly string[]; rows: readonly string[] }[] = [];
    for (const of of relations) {
      const its = union(notes.get(of.table) ?? [], of === part?.of ? keys : []);
      if (its.length > 0) rows.push({ of, keys: its, rows: await rowsOf(source, of, its, signal) });
    }
    return { noted: countOf(notes), snapshot, keys, rows };
  });
  if (found.rows.length > 0) {
    await target.transaction(signal, async () => {
      await checkFenced(target, move, signal);
      await target.run(pastFence, [], signal);
      // First all that goes: a value that must be unique may have gone from one row to another
      for (const { of, keys } of found.rows) await remove(target, of, keys, signal);
      for (const { of, rows } of found.rows) await insert(target, of, rows, signal);
    });
  }
  if (found.noted > 0) {
    await source.run(
      `UPDATE ${schema}.touched SET move = $2 WHERE move = $1 AND ${isIn('$3')}`,
      [move.id, broughtOf(move).id, found.snapshot],
      signal,
    );
  }
  return { noted: found.noted, keys: found.keys };
}

/** What has no fence of the move has no copy either: rows that came there would be nobody's. */
async function checkFenced(target: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<void> {
  const ids = [move.id, backOf(move.id)];
  const found = await target.run(`SELECT FROM ${schema}.fence WHERE id = ANY ($1)`, [ids], signal);
  if (found.length === 0) throw new LostCopyError(move.id, `${move.to} has no rows of it any more`);
}

/** Copies all rows of the moved slots, and what is written meanwhile. */
export async function copyAll(
  sides: Pair,
  batch: number,
  progress: (done: { readonly table: string; readonly rows: number }) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const of of sides.relations) {
    let after: string | undefined;
    for (let rows = 0; ; ) {
      const { keys } = await bring(sides, signal, { of, after, rows: batch });
      rows += keys.length;
      progress({ table: of.table, rows });
      if (keys.length < batch) break;
      after = keys.at(-1);
    }
  }
}

async function keysOf(
  source: SqlSession,
  move: MoveSpec,
  { of, after, rows }: Part,
  signal: AbortSignal,
): Promise<readonly string[]> {
  // With the name of the table: an output of the query may have the name of a column, and ORDER BY would take that
  const key = of.primaryKey.map(column => `t.${identifier(column)}`).join(', ');
  const typeOf = new Map(of.columns.map(({ name, type }) => [name, type]));
  const last = of.primaryKey.map((name, at) => `($2::jsonb->>${at})::${typeOf.get(name)}`).join(', ');
  const found = await source.run<{ key: string }>(
    `SELECT ${keyOf(of, 't.')}::text AS key FROM ${relation(of.table)} t WHERE ${inSlices(move, of.table, move.slices, 't.')}
     AND ($2::text IS NULL OR ROW(${key}) > ROW(${last})) ORDER BY ${key} LIMIT $1`,
    [rows, after ?? null],
    signal,
  );
  return found.map(each => each.key);
}

/** The columns that a row is made of, and their values as texts, from which any type can be read again. */
async function rowsOf(
  source: SqlSession,
  of: RelationRow,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const values = written(of).map(({ name }) => `t.${identifier(name)}::text`);
  const found = await source.run<{ row: string }>(
    `SELECT DISTINCT to_jsonb(ARRAY[${values.join(', ')}])::text AS "row" FROM unnest($1::text[]::jsonb[]) k (key)
     JOIN ${relation(of.table)} t ON ${isKeyed(of)}`,
    [keys],
    signal,
  );
  return found.map(each => each.row);
}

async function remove(
  target: SqlSession,
  of: RelationRow,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await target.run(
    `DELETE FROM ${relation(of.table)} t USING unnest($1::text[]::jsonb[]) k (key) WHERE ${isKeyed(of)}`,
    [keys],
    signal,
  );
}

async function insert(
  target: SqlSession,
  of: RelationRow,
  rows: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const columns = written(of);
  const values = columns.map(({ type }, at) => `(r.row->>${at})::${type}`);
  await target.run(
    `INSERT INTO ${relation(of.table)} (${columns.map(({ name }) => identifier(name)).join(', ')}) OVERRIDING SYSTEM VALUE
     SELECT ${values.join(', ')} FROM unnest($1::text[]::jsonb[]) r ("row")`,
    [rows],
    signal,
  );
}

function written({ columns }: RelationRow) {
  return columns.filter(({ isGenerated }) => !isGenerated);
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])];
}

function countOf(notes: Touched): number {
  return [...notes.values()].reduce((sum, keys) => sum + keys.length, 0);
}
