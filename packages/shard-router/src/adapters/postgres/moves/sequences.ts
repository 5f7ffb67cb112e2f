import type { Sides } from './comparing/verifying.ts';
import { relation } from './names.ts';
import type { SqlSession } from './sessions/sql-session.ts';

interface SequenceRow {
  readonly table: string;
  readonly column: string;
  readonly last: string;
}

/** Moves the sequences of the target's tables beyond those of the source, so that no number is given to a moved key again. */
export async function carrySequences(
  { source, target, relations }: Sides,
  signal: AbortSignal,
): Promise<void> {
  for (const { table, column, last } of await numbered(
    source,
    relations.map(each => each.table),
    signal,
  )) {
    await target.run(
      `SELECT setval(s.name, $3::bigint) FROM (SELECT pg_get_serial_sequence($1, $2) AS name) s
       WHERE coalesce(pg_sequence_last_value(s.name::regclass), 0) < $3::bigint`,
      [relation(table), column, last],
      signal,
    );
  }
}

/** The columns with a sequence of their own that has given out a number. */
async function numbered(
  session: SqlSession,
  tables: readonly string[],
  signal: AbortSignal,
): Promise<SequenceRow[]> {
  return session.run<SequenceRow>(
    // The sequences first: what is no sequence cannot be asked for its last value
    `WITH owned AS MATERIALIZED (
       SELECT w.name AS "table", a.attname AS "column", d.objid FROM unnest($1::text[], $2::text[]) w (name, quoted)
       JOIN pg_depend d ON d.refobjid = to_regclass(w.quoted) AND d.refclassid = 'pg_class'::regclass
         AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
       JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0
       JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid)
     SELECT * FROM (SELECT "table", "column", pg_sequence_last_value(objid)::text AS last FROM owned) o WHERE last IS NOT NULL`,
    [tables, tables.map(relation)],
    signal,
  );
}
