import type { Sides } from './comparing/verifying.ts';
import { relation } from './names.ts';
import type { SqlSession } from './sessions/sql-session.ts';

interface SequenceRow {
  readonly table: string;
  readonly column: string;
  readonly sequence: string;
}

/** A sequence of the target, and the one at the source beyond which it goes. */
export interface CarriedSequence {
  readonly from: string;
  readonly to: string;
}

/** Looks them up in the catalogs, which takes a third of the work of a pause: so before it. Nothing may change the tables meanwhile. */
export async function carriedSequences(
  { source, target, relations }: Pick<Sides, 'source' | 'target' | 'relations'>,
  signal: AbortSignal,
): Promise<readonly CarriedSequence[]> {
  const tables = relations.map(each => each.table);
  const here = await sequencesOf(source, tables, signal);
  if (here.length === 0) return [];
  const there = await sequencesOf(target, tables, signal);
  return here.flatMap(({ table, column, sequence: from }) =>
    there
      .filter(each => each.table === table && each.column === column)
      .map(({ sequence: to }) => ({ from, to })),
  );
}

/**
 * Moves the sequences of the target's tables beyond those of the source, in the direction in which each goes, so that no number is given to a
 * moved key again.
 */
export async function carrySequences(
  { source, target }: Pick<Sides, 'source' | 'target'>,
  carried: readonly CarriedSequence[],
  signal: AbortSignal,
): Promise<void> {
  if (carried.length === 0) return;
  // A null is of one that has given out none
  const last = await source.run<{ at: number; last: string | null }>(
    `SELECT at::int, pg_sequence_last_value(name::regclass)::text AS last FROM unnest($1::text[]) WITH ORDINALITY s (name, at)`,
    [carried.map(({ from }) => from)],
    signal,
  );
  const used = last.filter(each => each.last !== null);
  if (used.length === 0) return;
  await target.run(
    // One that has given out nothing stands before its first number, and is left there by numbers that are none of its own. Several may be carried
    // into one
    `SELECT setval(s.seqrelid::regclass, CASE WHEN s.seqincrement > 0 THEN n.highest ELSE n.lowest END)
     FROM (SELECT name::regclass::oid AS oid, max(last::bigint) AS highest, min(last::bigint) AS lowest
         FROM unnest($1::text[], $2::text[]) u (name, last) GROUP BY 1) n
       JOIN pg_sequence s ON s.seqrelid = n.oid, pg_sequence_last_value(s.seqrelid) AS l (last)
     WHERE CASE WHEN s.seqincrement > 0 THEN coalesce(l.last::numeric, s.seqmin::numeric - 1) < n.highest
       ELSE coalesce(l.last::numeric, s.seqmax::numeric + 1) > n.lowest END`,
    [used.map(({ at }) => carried[at - 1]!.to), used.map(each => each.last)],
    signal,
  );
}

/** The sequences of columns: those that belong to one, and those that the default of one names. */
async function sequencesOf(
  session: SqlSession,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<SequenceRow[]> {
  return session.run<SequenceRow>(
    `WITH wanted AS (SELECT name, to_regclass(quoted) AS oid FROM unnest($1::text[], $2::text[]) w (name, quoted)),
     named AS (
       SELECT w.name AS "table", a.attname AS "column", s.seqrelid FROM wanted w
       JOIN pg_depend d ON d.refobjid = w.oid AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass
         AND d.deptype IN ('a', 'i')
       JOIN pg_sequence s ON s.seqrelid = d.objid
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       UNION SELECT w.name, a.attname, s.seqrelid FROM wanted w
       JOIN pg_attrdef f ON f.adrelid = w.oid
       JOIN pg_depend d ON d.objid = f.oid AND d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
       JOIN pg_sequence s ON s.seqrelid = d.refobjid
       JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum)
     SELECT "table", "column", seqrelid::regclass::text AS sequence FROM named`,
    [tables, tables.map(relation)],
    signal,
  );
}
