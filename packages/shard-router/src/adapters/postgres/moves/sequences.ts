import type { Sides } from './comparing/verifying.ts';
import { relation } from './names.ts';
import type { SqlSession } from './sessions/sql-session.ts';

interface SequenceRow {
  readonly table: string;
  readonly column: string;
  readonly sequence: string;
  /** The last number that it has given out; null where it has given out none. */
  readonly last: string | null;
}

/**
 * Moves the sequences of the target's tables beyond those of the source, in the direction in which each goes, so that no number is given to a
 * moved key again.
 */
export async function carrySequences(
  { source, target, relations }: Sides,
  signal: AbortSignal,
): Promise<void> {
  const tables = relations.map(each => each.table);
  const used = (await sequencesOf(source, tables, signal)).filter(({ last }) => last !== null);
  if (used.length === 0) return;
  const there = await sequencesOf(target, tables, signal);
  for (const { table, column, last } of used) {
    for (const { sequence } of there.filter(each => each.table === table && each.column === column)) {
      await target.run(
        // One that has given out nothing stands before its first number, and is left there by numbers that are none of its own
        `SELECT setval(s.seqrelid::regclass, $2::bigint) FROM pg_sequence s, pg_sequence_last_value(s.seqrelid) AS l (last)
         WHERE s.seqrelid = $1::regclass AND CASE WHEN s.seqincrement > 0 THEN coalesce(l.last::numeric, s.seqmin::numeric - 1) < $2::numeric
           ELSE coalesce(l.last::numeric, s.seqmax::numeric + 1) > $2::numeric END`,
        [sequence, last],
        signal,
      );
    }
  }
}

/** The sequences of columns: those that belong to one, and those that the default of one names. */
async function sequencesOf(
  session: SqlSession,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<SequenceRow[]> {
  return session.run<SequenceRow>(
    // The sequences first: what is no sequence cannot be asked for its last value
    `WITH wanted AS (SELECT name, to_regclass(quoted) AS oid FROM unnest($1::text[], $2::text[]) w (name, quoted)),
     named AS MATERIALIZED (
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
     SELECT "table", "column", seqrelid::regclass::text AS sequence, pg_sequence_last_value(seqrelid)::text AS last FROM named`,
    [tables, tables.map(relation)],
    signal,
  );
}
