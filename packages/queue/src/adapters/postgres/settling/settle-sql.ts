import { synchronized } from '../publish.ts';
import { oneOf, since, type Tables } from '../tables.ts';

const now = 'statement_timestamp()';
/**
 * Rows that these hands still have, by `seq` and `token`. No condition of an index: rows are found by their numbers,
 * whatever the statistics say of how few are active.
 */
const held = `j.state + 0 = 2 AND j.at > ${now}`;

export interface SettleSql {
  /** Many. Parameters: arrays of seq and token. Answers with `lost`, JSON of the two of those that were not there, or null. */
  readonly ack: string;
  /** The same. One more parameter: milliseconds. */
  readonly extend: string;
  /** Parameters: seq, token, result. */
  readonly ackWith: string;
  /** Parameters: seq, token, value. */
  readonly progress: string;
  /** Parameters: seq, token, pause in ms, reason or null, whether it is charged. */
  readonly nack: string;
}

export function settleSql({ jobs }: Tables): SettleSql {
  const input = `WITH input AS MATERIALIZED (SELECT i.s AS seq, i.t FROM unnest($1::bigint[], $2::int[]) AS i(s, t))`;
  // Not locked before: that is a record of the log more for each row
  const mine = `${oneOf('input')} AND j.seq = i.seq AND j.token = i.t AND ${held}`;
  const one = `j.seq = $1::bigint AND j.token = $2::int AND ${held}`;
  // With its token: who has lost a message may be among them beside who has it
  const lost = `SELECT (SELECT json_agg(i.seq || ' ' || i.t) FROM input i
        WHERE (i.seq, i.t) NOT IN (SELECT seq, token FROM done))::text AS lost,
      ${synchronized} AS synchronized`;
  const all = `${synchronized} AS synchronized`;
  return {
    ack: `${input}, done AS (DELETE FROM ${jobs} j USING input i WHERE ${mine} RETURNING j.seq, j.token) ${lost}`,
    extend: `${input}, done AS (UPDATE ${jobs} j SET at = clock_timestamp() + $3::float8 * interval '1 millisecond', ${since}
      FROM input i WHERE ${mine} RETURNING j.seq, j.token) ${lost}`,
    ackWith: `UPDATE ${jobs} j SET state = 4, at = ${now}, body = '', result = $3::bytea WHERE ${one} RETURNING ${all}`,
    progress: `UPDATE ${jobs} j SET progress = $3::bytea WHERE ${one} RETURNING ${all}`,
    nack: `UPDATE ${jobs} j SET
        state = CASE WHEN $4::text IS NOT NULL THEN 3 WHEN $3::float8 > 0 THEN 1 ELSE 0 END,
        at = CASE WHEN $4::text IS NOT NULL THEN ${now}
          WHEN $3::float8 > 0 THEN clock_timestamp() + $3::float8 * interval '1 millisecond' END,
        pos = pg_current_xact_id(), ${since}, reason = $4::text,
        pauses = $4::text IS NULL AND $3::float8 > 0,
        failures = failures + CASE WHEN $5::boolean THEN 1 ELSE 0 END,
        deliveries = deliveries - CASE WHEN $5::boolean OR $4::text IS NOT NULL THEN 0 ELSE 1 END
      WHERE ${one} RETURNING ${all}`,
  };
}
