import { deletedForMs, endedClaimForMs, kinds, shortHash, type Table } from './table.ts';

/** How many rows one sweep works off. */
export const sweepRows = 1_000;

/** Of how many keys one poll tells at most. */
export const pollKeys = 10_000;

/** One round trip and one transaction, which gives rows `R`. All of them are text, so that no parser of types changes them. */
export interface Statement<R = unknown> {
  readonly name: string;
  readonly text: string;
  readonly row?: R;
}

interface Conditional {
  /** `1` if it was. */
  readonly written: string;
  /** The version that was there at the beginning of the statement. */
  readonly found: string | null;
}

export interface ValueRow {
  /** Hexadecimal, as keys are. */
  readonly value: string;
  readonly version: string;
}

export interface PollRow {
  readonly snapshot: string;
  /** The server's time in milliseconds. */
  readonly at: string;
  /** Changes when the table is emptied. */
  readonly epoch: string | null;
  /** Not null when there is something to sweep. */
  readonly due: string | null;
  /** What was committed between the given snapshot and this one. */
  readonly keys: string | null;
}

/** What a store asks of its table. */
export interface Statements {
  /** keys; `at` counts from 1 */
  readonly read: Statement<ValueRow & { readonly at: string }>;
  /** key, value, version, ttl or null */
  readonly write: Statement;
  /** the same, if there is no such key */
  readonly create: Statement<Conditional>;
  /** the same, and the version that the key must have */
  readonly replace: Statement<Conditional>;
  /** keys, values, versions, ttl or null; no key twice */
  readonly writeAll: Statement;
  /** key, version or null; a row if it was there */
  readonly remove: Statement;
  /** first key, end of the keys, how many, how many bytes of values */
  readonly page: Statement<ValueRow & { readonly key: string }>;
  /** name, holder, ttl, above; a row if the name is the holder's */
  readonly claim: Statement<{ readonly token: string; readonly remaining: string }>;
  /** name, token; a row if it was held */
  readonly release: Statement;
  /** Makes expired values deleted ones and forgets what was deleted or ended long ago; how much of it */
  readonly sweep: Statement<{ readonly due: string }>;
  /** snapshot */
  readonly poll: Statement<PollRow>;
  /** Gives the table an epoch if it has none. */
  readonly begin: Statement;
}

const { value, claim, epoch } = kinds;

/**
 * Time is `clock_timestamp()` where a row is judged or ends, since a statement may have waited for the row;
 * `statement_timestamp()` where an index must find it. A deleted key keeps its row for a while, with no value.
 */
export function statementsFor({ sql: table, channel }: Table): Statements {
  const ring = (from: string) => `(SELECT pg_notify('${channel}', '')::text FROM ${from} LIMIT 1)`;
  const isLive = (row: string) =>
    `${row}.value IS NOT NULL AND (${row}.ends_at IS NULL OR ${row}.ends_at > clock_timestamp())`;
  const after = (ms: string) => `clock_timestamp() + ${ms} * interval '1 millisecond'`;
  const insert = `INSERT INTO ${table} AS t (kind, key, value, version, ends_at, changed)`;
  const row = `${value}, $1::bytea, $2::bytea, $3::text, ${after('$4::float8')}, pg_current_xact_id()`;
  const overwrite = `SET value = excluded.value, version = excluded.version,
    ends_at = ${after('$4::float8')}, changed = excluded.changed`;
  const found = `(SELECT t.version FROM ${table} t WHERE t.kind = ${value} AND t.key = $1::bytea AND ${isLive('t')})`;
  const conditional = `SELECT (SELECT count(*) FROM written)::text AS written, ${found} AS found, ${ring('written')}`;

  return named({
    read: `SELECT k.at::text AS at, encode(t.value, 'hex') AS value, t.version
      FROM unnest($1::bytea[]) WITH ORDINALITY AS k(key, at)
      JOIN ${table} t ON t.kind = ${value} AND t.key = k.key WHERE ${isLive('t')}`,

    write: `WITH written AS (${insert} VALUES (${row})
        ON CONFLICT (kind, key) DO UPDATE ${overwrite} RETURNING 1)
      SELECT ${ring('written')} FROM written`,

    create: `WITH written AS (${insert} VALUES (${row})
        ON CONFLICT (kind, key) DO UPDATE ${overwrite} WHERE NOT (${isLive('t')}) RETURNING 1)
      ${conditional}`,

    replace: `WITH written AS (UPDATE ${table} t SET value = $2::bytea, version = $3::text,
          ends_at = ${after('$4::float8')}, changed = pg_current_xact_id()
        WHERE t.kind = ${value} AND t.key = $1::bytea AND t.version = $5::text AND ${isLive('t')} RETURNING 1)
      ${conditional}`,

    // in the order of the keys, or two of these could wait for each other
    writeAll: `WITH written AS (${insert}
        SELECT ${value}, n.key, n.value, n.version, ${after('$4::float8')}, pg_current_xact_id()
        FROM unnest($1::bytea[], $2::bytea[], $3::text[]) AS n(key, value, version) ORDER BY n.key
        ON CONFLICT (kind, key) DO UPDATE ${overwrite} RETURNING 1)
      SELECT ${ring('written')}`,

    remove: `WITH removed AS (UPDATE ${table} t SET value = NULL, version = NULL,
          ends_at = ${after(String(deletedForMs))}, changed = pg_current_xact_id()
        WHERE t.kind = ${value} AND t.key = $1::bytea AND ($2::text IS NULL OR t.version = $2::text)
          AND ${isLive('t')} RETURNING 1)
      SELECT ${ring('removed')} FROM removed`,

    page: `SELECT encode(p.key, 'hex') AS key, encode(p.value, 'hex') AS value, p.version FROM (
        SELECT t.key, t.value, t.version,
          sum(octet_length(t.value)) OVER (ORDER BY t.key ROWS UNBOUNDED PRECEDING) - octet_length(t.value) AS before
        FROM ${table} t WHERE t.kind = ${value} AND t.key >= $1::bytea AND t.key < $2::bytea AND ${isLive('t')}
        ORDER BY t.key LIMIT $3::int) p
      WHERE p.before < $4::int ORDER BY p.key`,

    claim: `INSERT INTO ${table} AS t (kind, key, value, token, ends_at)
      VALUES (${claim}, $1::bytea, $2::bytea, greatest(${microseconds()}, $4::bigint + 1), ${after('$3::float8')})
      ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, ends_at = ${after('$3::float8')},
        token = CASE WHEN t.value = excluded.value AND t.ends_at > clock_timestamp() AND t.token > $4::bigint
          THEN t.token ELSE greatest(t.token + 1, ${microseconds()}, $4::bigint + 1) END
      WHERE t.value IS NULL OR t.value = excluded.value OR t.ends_at <= clock_timestamp()
      RETURNING token::text, (extract(epoch FROM ends_at - clock_timestamp()) * 1000)::text AS remaining`,

    release: `UPDATE ${table} t SET value = NULL, ends_at = clock_timestamp()
      WHERE t.kind = ${claim} AND t.key = $1::bytea AND t.token = $2::bigint AND ${isLive('t')} RETURNING 1`,

    sweep: `WITH due AS (SELECT t.key, t.value IS NULL AS is_deleted FROM ${table} t
        WHERE t.kind = ${value} AND t.ends_at <= statement_timestamp()
        ORDER BY t.ends_at LIMIT ${sweepRows} FOR UPDATE SKIP LOCKED),
      forgotten AS (DELETE FROM ${table} t USING due
        WHERE due.is_deleted AND t.kind = ${value} AND t.key = due.key),
      expired AS (UPDATE ${table} t SET value = NULL, version = NULL,
          ends_at = ${after(String(deletedForMs))}, changed = pg_current_xact_id() FROM due
        WHERE NOT due.is_deleted AND t.kind = ${value} AND t.key = due.key RETURNING 1),
      ended AS (SELECT t.key FROM ${table} t WHERE ${hasLongEnded()} LIMIT ${sweepRows}),
      forgotten_claims AS (DELETE FROM ${table} t USING ended WHERE t.key = ended.key AND ${hasLongEnded()})
      SELECT (SELECT count(*) FROM due)::text AS due, ${ring('expired')}`,

    poll: `SELECT pg_current_snapshot()::text AS snapshot,
        (extract(epoch FROM statement_timestamp()) * 1000)::text AS at,
        (SELECT t.version FROM ${table} t WHERE t.kind = ${epoch} AND t.key = '') AS epoch,
        (SELECT 1 FROM ${table} t WHERE t.kind = ${value} AND t.ends_at <= statement_timestamp() LIMIT 1)::text AS due,
        (SELECT string_agg(encode(c.key, 'hex'), ',') FROM (SELECT t.key FROM ${table} t
          WHERE t.changed >= pg_snapshot_xmin($1::pg_snapshot) AND t.changed < pg_snapshot_xmax(pg_current_snapshot())
            AND NOT pg_visible_in_snapshot(t.changed, $1::pg_snapshot)
          ORDER BY t.changed LIMIT ${pollKeys + 1}) c) AS keys`,

    begin: `INSERT INTO ${table} (kind, key, version) VALUES (${epoch}, '', gen_random_uuid()::text)
      ON CONFLICT (kind, key) DO NOTHING`,
  });
}

/** A token is at least this, so it grows also where the table's history was lost. */
function microseconds(): string {
  return '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint';
}

/** Its token must be one that the clock will not give again. */
function hasLongEnded(): string {
  const long = `statement_timestamp() - interval '${endedClaimForMs} milliseconds'`;
  return `t.kind = ${claim} AND t.ends_at < ${long} AND t.token < extract(epoch FROM ${long}) * 1000000`;
}

/** The name tells the text, so stores over different tables can share connections. */
function named<S extends Readonly<Record<keyof Statements, string>>>(texts: S): Statements {
  const pairs = Object.entries(texts).map(([key, text]) => [
    key,
    { name: `ashlar_${key}_${shortHash(text)}`, text },
  ]);
  return Object.fromEntries(pairs) as Record<keyof Statements, Statement<never>>;
}
