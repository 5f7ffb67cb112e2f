import { tendRows } from './claiming/claim-sql.ts';
import type { Sessions } from './sessions.ts';
import type { Tables } from './tables.ts';

export interface SweepLimits {
  readonly maxDead: number;
  readonly maxResults: number;
  readonly deduplicationMs: number;
}

const now = 'statement_timestamp()';

/** Deletes what is kept too long or too much of, all that there is at the time, some rows a statement. */
export async function sweep(
  sessions: Sessions,
  tables: Tables,
  group: number,
  { maxDead, maxResults, deduplicationMs }: SweepLimits,
): Promise<void> {
  const { jobs, ids, throttles, buckets } = tables;
  const surplus = (state: number) => `DELETE FROM ${jobs} j WHERE j.seq = ANY (ARRAY(
    SELECT d.seq FROM ${jobs} d WHERE d.grp = $1::int AND d.state = ${state} AND d.state >= 3
    ORDER BY d.at DESC, d.seq DESC OFFSET $2::int LIMIT ${tendRows} FOR UPDATE SKIP LOCKED)) RETURNING 1`;
  const some = (table: string, where: string) => `DELETE FROM ${table} t WHERE t.ctid = ANY (ARRAY(
    SELECT s.ctid FROM ${table} s WHERE ${where} LIMIT ${tendRows} FOR UPDATE SKIP LOCKED)) RETURNING 1`;
  const all = async (deletion: string, values: readonly unknown[]) => {
    const text = `WITH gone AS (${deletion}) SELECT count(*)::int AS n FROM gone`;
    for (let n = tendRows; n === tendRows; ) {
      const [row] = await sessions.run('a sweep', 'Unknown', text, values);
      n = row!['n'];
    }
  };
  await all(surplus(3), [group, maxDead]);
  await all(surplus(4), [group, maxResults]);
  await all(some(ids, `s.at <= ${now} - $1::float8 * interval '1 millisecond'`), [deduplicationMs]);
  await all(some(throttles, `s.until <= ${now}`), []);
  await all(some(buckets, `s.fullat <= ${now}`), []);
}
