import { timeText } from '../../transactions/time-text.ts';
import { oneOf, type Tables } from './tables.ts';

/** What becomes of messages outside of a delivery. The first parameter is the number of the group. */
export function jobSql({ jobs, groups }: Tables) {
  const selected = `SELECT d.seq FROM ${jobs} d WHERE d.grp = $1::int AND d.state = 3 AND d.state >= 3
    AND ($2::text IS NULL OR d.id IN (SELECT json_array_elements_text($2::text::json)))
    AND d.at <= coalesce($4::text::timestamptz, statement_timestamp())
    ORDER BY d.at, d.seq LIMIT $3::bigint FOR UPDATE SKIP LOCKED`;
  const count = (name: string) =>
    `SELECT count(*)::int AS count, coalesce($4::text, ${timeText('statement_timestamp()')}) AS began FROM ${name}`;
  return {
    find: `SELECT j.state, j.state = 1 AND j.at > statement_timestamp() AS delayed, j.deliveries, j.failures, j.progress,
      j.result, j.reason FROM ${jobs} j WHERE j.grp = $1::int AND j.id = $2::text`,
    cancel: `DELETE FROM ${jobs} j WHERE j.grp = $1::int AND j.id = $2::text AND j.state < 3 RETURNING 1 AS n`,
    stats: `SELECT count(*) FILTER (WHERE j.state = 0)::int AS waiting, count(*) FILTER (WHERE j.state = 1)::int AS delayed,
      count(*) FILTER (WHERE j.state = 2)::int AS active, count(*) FILTER (WHERE j.state = 3)::int AS dead
      FROM ${jobs} j WHERE j.grp = $1::int`,
    inspect: `SELECT j.id, j.lane, j.headers, j.body, j.reason, j.deliveries, j.failures,
      round(extract(epoch FROM j.at) * 1000)::float8 AS died FROM ${jobs} j
      WHERE j.grp = $1::int AND j.state = 3 AND j.state >= 3 AND ($3::text IS NULL OR (j.at, j.seq) >
        (SELECT a.at, a.seq FROM ${jobs} a WHERE a.grp = $1::int AND a.id = $3::text AND a.state = 3))
      ORDER BY j.at, j.seq LIMIT $2::bigint`,
    // As if they were published now. Parameters: ids as JSON, the most rows, the time of their death at the latest
    redrive: `WITH chosen AS MATERIALIZED (${selected}), again AS (UPDATE ${jobs} j SET seq = DEFAULT, state = 0, at = NULL, reason = NULL,
        pos = pg_current_xact_id(), priority = 0, expires = NULL, dedup = NULL, deliveries = 0, failures = 0, progress = NULL
        WHERE ${oneOf('chosen')} RETURNING 1) ${count('again')}`,
    purge: `WITH chosen AS MATERIALIZED (${selected}),
      gone AS (DELETE FROM ${jobs} j WHERE ${oneOf('chosen')} RETURNING 1) ${count('gone')}`,
    pause: `UPDATE ${groups} g SET paused = $2::boolean WHERE g.grp = $1::int RETURNING 1 AS n`,
  };
}
