import { sleep } from '@ashlar/core';
import type { Difference, MoveSpec, Verification } from '../../../../moves/move-backend.ts';
import { identifier, inSlices, relation } from '../names.ts';
import type { RelationRow } from '../relations.ts';
import type { SqlSession } from '../sessions/sql-session.ts';
import { isKeyed, keyOf } from './row-keys.ts';
import { forget, type Touched, touched, writesOf } from './touched.ts';

/** Into how many parts the rows of a table are divided to find those that differ. */
const buckets = 1_024;
/** Rows whose keys are read at once, where their parts differ. */
const rowsAtOnce = 50_000;
/** How often a row that nobody writes must differ before that is believed. */
const looks = 3;
/** Milliseconds between these. */
const lookStepMs = 20;
/** Primary keys that a difference names. */
const named = 100;
/** Rows noted as written that a round leaves to the next, which is in the pause of the writes. */
const few = 200;
const rounds = 20;

/** The two sides of a move, and what is compared. */
export interface Sides {
  readonly move: MoveSpec;
  readonly source: SqlSession;
  readonly target: SqlSession;
  /** At the source; the columns of the target have the same names and types. */
  readonly relations: readonly RelationRow[];
  /** Under which names of moves writes are noted; undefined for the move's own. */
  readonly notedAs?: readonly string[];
  /** Resolves when the target shows all that was committed at the source before the call. */
  arrived(signal: AbortSignal): Promise<unknown>;
}

/** Compares all rows of the moved slots while they are written. */
export async function compareAll(sides: Sides, signal: AbortSignal): Promise<Verification> {
  const { source, target, move } = sides;
  let rows = 0;
  const suspects = new Map<string, string[]>();
  for (const of of sides.relations) {
    const here = await digests(source, move, of, signal);
    await sides.arrived(signal);
    const there = await digests(target, move, of, signal);
    for (const { rows: count } of here.values()) rows += count;
    suspects.set(of.table, await suspectsIn(sides, of, differing(here, there), signal));
  }
  return { rows, differences: await believed(sides, suspects, signal) };
}

/** Compares the rows that were written since `compareAll` began, until few are left. Resolves with what differs for certain. */
export async function compareTouched(sides: Sides, signal: AbortSignal): Promise<Verification> {
  let rows = 0;
  for (let round = 1; ; round++) {
    const { rows: keys, snapshot } = await touched(sides.source, sides.move, signal);
    const count = [...keys.values()].reduce((sum, each) => sum + each.length, 0);
    if (count === 0) return { rows, differences: [] };
    rows += count;
    const { unsettled } = await compareOnce(sides, keys, signal);
    const differences = await believed(sides, unsettled, signal);
    await forget(sides.source, sides.move, snapshot, unsettled, signal);
    if (differences.length > 0 || count <= few || round === rounds) return { rows, differences };
  }
}

/** Compares what is noted as written, once. Nothing is written meanwhile, so what differs, differs. */
export async function compareFenced(sides: Sides, signal: AbortSignal): Promise<Verification> {
  const { rows: keys } = await touched(sides.source, sides.move, signal);
  const rows = [...keys.values()].reduce((sum, each) => sum + each.length, 0);
  const differences: Difference[] = [];
  for (const of of sides.relations) {
    const asked = keys.get(of.table) ?? [];
    const [here, there] = await Promise.all([
      hashes(sides.source, of, asked, signal),
      hashes(sides.target, of, asked, signal),
    ]);
    const wrong = asked.filter(key => here.get(key) !== there.get(key));
    if (wrong.length > 0) differences.push(differenceOf(of.table, wrong, here, there));
  }
  return { rows, differences };
}

interface Digest {
  readonly rows: number;
  readonly sum: string;
}

/** A row as text, the same at both sides whatever the order of the columns. */
function rowOf(of: RelationRow): string {
  const columns = of.columns.map(({ name }) => name).sort();
  return `ROW(${columns.map(identifier).join(', ')})::text`;
}

function bucketOf(of: RelationRow): string {
  return `(hashtextextended(ROW(${of.primaryKey.map(identifier).join(', ')})::text, 7) & ${buckets - 1})::int`;
}

async function digests(
  session: SqlSession,
  move: MoveSpec,
  of: RelationRow,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Digest>> {
  const found = await session.run<{ bucket: number; rows: number; sum: string }>(
    `SELECT bucket, count(*)::float8 AS "rows", concat(sum(hashtextextended(r, 0)), ' ', sum(hashtextextended(r, 1))) AS sum
     FROM (SELECT ${bucketOf(of)} AS bucket, ${rowOf(of)} AS r FROM ${relation(of.table)}
       WHERE ${inSlices(move, of.table, move.slices)}) t GROUP BY bucket`,
    [],
    signal,
  );
  return new Map(found.map(({ bucket, rows, sum }) => [bucket, { rows, sum }]));
}

/** The buckets that differ, in groups of not too many rows. */
function differing(here: ReadonlyMap<number, Digest>, there: ReadonlyMap<number, Digest>): number[][] {
  const groups: number[][] = [[]];
  let inGroup = 0;
  for (const bucket of new Set([...here.keys(), ...there.keys()])) {
    const [a, b] = [here.get(bucket), there.get(bucket)];
    if (a?.rows === b?.rows && a?.sum === b?.sum) continue;
    const rows = Math.max(a?.rows ?? 0, b?.rows ?? 0);
    if (inGroup > 0 && inGroup + rows > rowsAtOnce) {
      groups.push([]);
      inGroup = 0;
    }
    groups.at(-1)!.push(bucket);
    inGroup += rows;
  }
  return groups.filter(group => group.length > 0);
}

async function suspectsIn(
  { move, source, target }: Sides,
  of: RelationRow,
  groups: readonly number[][],
  signal: AbortSignal,
): Promise<string[]> {
  const suspects: string[] = [];
  for (const group of groups) {
    const of2 = async (session: SqlSession) => {
      const rows = await session.run<{ key: string; hash: string }>(
        `SELECT ${keyOf(of)}::text AS key, md5(${rowOf(of)}) AS hash FROM ${relation(of.table)}
         WHERE ${inSlices(move, of.table, move.slices)} AND ${bucketOf(of)} = ANY ($1)`,
        [group],
        signal,
      );
      return new Map(rows.map(row => [row.key, row.hash]));
    };
    const here = await of2(source);
    const there = await of2(target);
    for (const each of new Set([...here.keys(), ...there.keys()])) {
      if (here.get(each) !== there.get(each)) suspects.push(each);
    }
  }
  return suspects;
}

/** The digests of rows by their keys; what is not there is not in the result. */
async function hashes(
  session: SqlSession,
  of: RelationRow,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<Hashes> {
  if (keys.length === 0) return new Map();
  const rows = await session.run<{ key: string; hash: string }>(
    `SELECT k.key::text AS key, md5(t.r) AS hash FROM unnest($1::text[]::jsonb[]) k (key), LATERAL
       (SELECT ${rowOf(of)} AS r FROM ${relation(of.table)} t WHERE ${isKeyed(of)}) t`,
    [keys],
    signal,
  );
  return new Map(rows.map(({ key, hash }) => [key, hash]));
}

type Hashes = ReadonlyMap<string, string>;

/** Both sides of a table, and its rows that differ, or were written while they were compared. */
interface Compared {
  readonly of: RelationRow;
  readonly here: Hashes;
  readonly there: Hashes;
  readonly keys: readonly string[];
}

async function compareOnce(
  sides: Sides,
  rows: Touched,
  signal: AbortSignal,
): Promise<{ readonly tables: readonly Compared[]; readonly unsettled: Touched }> {
  const before = new Map<RelationRow, Hashes>();
  for (const of of sides.relations) {
    const keys = rows.get(of.table) ?? [];
    if (keys.length > 0) before.set(of, await hashes(sides.source, of, keys, signal));
  }
  await sides.arrived(signal);
  const tables: Compared[] = [];
  for (const [of, here] of before) {
    const asked = rows.get(of.table)!;
    const there = await hashes(sides.target, of, asked, signal);
    const keys = asked.filter(key => here.get(key) !== there.get(key));
    if (keys.length > 0) tables.push({ of, here, there, keys });
  }
  return { tables, unsettled: new Map(tables.map(({ of, keys }) => [of.table, keys])) };
}

/**
 * Of rows that seem to differ, those that differ again and again although nobody writes them. One that is written meanwhile is noted, and
 * compared again behind the fence. By itself a row does not tell: what comes and goes is as it was.
 */
async function believed(
  sides: Sides,
  suspects: Touched,
  signal: AbortSignal,
): Promise<readonly Difference[]> {
  const writes = (rows: Touched) => writesOf(sides.source, sides.notedAs ?? [sides.move.id], rows, signal);
  let tables: readonly Compared[] = [];
  let left: Touched = new Map([...suspects].filter(([, keys]) => keys.length > 0));
  if (left.size === 0) return [];
  const before = await writes(left);
  for (let look = 1; look <= looks && left.size > 0; look++) {
    if (look > 1) await sleep(lookStepMs, signal);
    const again = await compareOnce(sides, left, signal);
    const now = await writes(again.unsettled);
    const isQuiet = (table: string, key: string) => now.get(table)!.get(key) === before.get(table)!.get(key);
    tables = again.tables
      .map(each => ({ ...each, keys: each.keys.filter(key => isQuiet(each.of.table, key)) }))
      .filter(({ keys }) => keys.length > 0);
    left = new Map(tables.map(({ of, keys }) => [of.table, keys]));
  }
  return tables.map(({ of, keys, here, there }) => differenceOf(of.table, keys, here, there));
}

function differenceOf(table: string, keys: readonly string[], here: Hashes, there: Hashes): Difference {
  const some = (is: (key: string) => boolean) => keys.filter(is).slice(0, named);
  return {
    table,
    missing: some(key => here.has(key) && !there.has(key)),
    extra: some(key => !here.has(key) && there.has(key)),
    different: some(key => here.has(key) && there.has(key)),
  };
}
