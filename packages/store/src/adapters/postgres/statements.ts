import { deletedForMs, endedClaimForMs, kinds, shortHash, type Table, watchesForMs } from './table.ts';

/** The most rows that one sweep takes. */
const sweepRows = 1_000;

/** The most keys that one poll returns. */
export const pollKeys = 10_000;

/** When the server started, in seconds: in every session alike, whatever its time zone. */
export const serverStarted = 'extract(epoch FROM pg_postmaster_start_time())::text';

/** One round trip and one transaction, which returns rows `R`. All columns are text, so that no type parser changes them. */
export interface Statement<R = unknown> {
  readonly name: string;
  readonly text: string;
  readonly row?: R;
}

/** The result of a write. */
export interface WriteRow {
  /** Not null while a store watches. */
  readonly watched: string | null;
}

export interface ConditionalRow extends WriteRow {
  /** Not null when it was written. */
  readonly written: string | null;
  /** The version at the beginning of the statement. */
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
  /** Not null when something has expired. */
  readonly due: string | null;
  /** The keys that were committed between the given snapshot and this one. */
  readonly keys: string | null;
}

export interface ClaimRow {
  /** Null when another holds the name, or `above` is too far ahead. */
  readonly token: string | null;
  readonly remaining: string | null;
  /** The server's time in microseconds. */
  readonly now: string;
}

/** A session that has not ended yet. */
export interface SessionRow {
  /** `true` when the user may not see it, and so not end it. */
  readonly hidden: string;
}

/** The statements of a store over its table; each with its parameters. */
export interface Statements {
  /** key */
  readonly read: Statement<ValueRow>;
  /** keys; `at` counts from 1 */
  readonly readAll: Statement<ValueRow & { readonly at: string }>;
  /** key, value, version, ttl or null */
  readonly write: Statement<WriteRow>;
  /** key, value, version, ttl or null; writes if there is no such key */
  readonly create: Statement<ConditionalRow>;
  /** key, value, version, ttl or null, the version that the key must have */
  readonly replace: Statement<ConditionalRow>;
  /** keys, values, versions, ttl or null; no key twice */
  readonly writeAll: Statement<WriteRow>;
  /** key, version or null; a row if it was deleted */
  readonly remove: Statement<WriteRow>;
  /** first key, end of the keys, the most keys, the most bytes of values */
  readonly page: Statement<ValueRow & { readonly key: string }>;
  /** name, holder, ttl, above, how far that may be ahead */
  readonly claim: Statement<ClaimRow>;
  /** name, token; a row if it was held */
  readonly release: Statement;
  /** Makes expired values deleted ones and forgets what was deleted or ended long ago; how many values it took. */
  readonly sweep: Statement<WriteRow & { readonly due: string }>;
  /** Notifies watches. A transaction of its own: one that also writes would hold up all others that do. */
  readonly notify: Statement;
  /** watcher; notes that it watches, and gives the table an epoch if it has none */
  readonly attend: Statement;
  /** snapshot, or null */
  readonly poll: Statement<PollRow>;
  /** `SessionsToEnd`; those that are still there. None of another user, and none that began later under the same process id. */
  readonly endSessions: Statement<SessionRow>;
}

const { value, claim, epoch, watcher } = kinds;

/**
 * Time is `clock_timestamp()` where a row is judged or ends, since a statement may have waited for the row;
 * `statement_timestamp()` where an index must find it. A deleted key keeps its row for a while, without a value. For a
 * `linearizable` store each write sets `synchronous_commit` for its own transaction, where it is off.
 */
export function statementsFor(
  { sql: table, channel }: Table,
  durability: 'linearizable' | 'asynchronous',
): Statements {
  const alsoSynchronized = durability === 'linearizable' ? `, ${synchronized}` : '';
  const isLive = 't.value IS NOT NULL AND (t.ends_at IS NULL OR t.ends_at > clock_timestamp())';
  const after = (ms: string | number) => `clock_timestamp() + ${ms} * interval '1 millisecond'`;
  const insert = `INSERT INTO ${table} AS t (kind, key, value, version, ends_at, changed)`;
  const row = `${value}, $1::bytea, $2::bytea, $3::text, ${after('$4::float8')}, pg_current_xact_id()`;
  const overwrite = `SET value = excluded.value, version = excluded.version,
    ends_at = ${after('$4::float8')}, changed = excluded.changed`;
  const erase = `SET value = NULL, version = NULL, ends_at = ${after(deletedForMs)}, changed = pg_current_xact_id()`;
  const watched = `(SELECT 1 FROM ${table} t WHERE t.kind = ${watcher} AND t.ends_at > statement_timestamp()
    LIMIT 1)::text AS watched${alsoSynchronized}`;
  const conditional = `SELECT (SELECT 1 FROM written)::text AS written,
    (SELECT t.version FROM ${table} t WHERE t.kind = ${value} AND t.key = $1::bytea AND ${isLive}) AS found, ${watched}`;

  return named({
    read: `SELECT encode(t.value, 'hex') AS value, t.version FROM ${table} t
      WHERE t.kind = ${value} AND t.key = $1::bytea AND ${isLive}`,

    readAll: `SELECT k.at::text AS at, encode(t.value, 'hex') AS value, t.version
      FROM unnest($1::bytea[]) WITH ORDINALITY AS k(key, at)
      JOIN ${table} t ON t.kind = ${value} AND t.key = k.key WHERE ${isLive}`,

    write: `WITH written AS (${insert} VALUES (${row})
        ON CONFLICT (kind, key) DO UPDATE ${overwrite} RETURNING 1)
      SELECT ${watched}`,

    create: `WITH written AS (${insert} VALUES (${row})
        ON CONFLICT (kind, key) DO UPDATE ${overwrite} WHERE NOT (${isLive}) RETURNING 1)
      ${conditional}`,

    replace: `WITH written AS (UPDATE ${table} t SET value = $2::bytea, version = $3::text,
          ends_at = ${after('$4::float8')}, changed = pg_current_xact_id()
        WHERE t.kind = ${value} AND t.key = $1::bytea AND t.version = $5::text AND ${isLive} RETURNING 1)
      ${conditional}`,

    // In the order of the keys, or two of these could wait for each other
    writeAll: `WITH written AS (${insert}
        SELECT ${value}, n.key, n.value, n.version, ${after('$4::float8')}, pg_current_xact_id()
        FROM unnest($1::bytea[], $2::bytea[], $3::text[]) AS n(key, value, version) ORDER BY n.key
        ON CONFLICT (kind, key) DO UPDATE ${overwrite})
      SELECT ${watched}`,

    remove: `WITH removed AS (UPDATE ${table} t ${erase}
        WHERE t.kind = ${value} AND t.key = $1::bytea AND ($2::text IS NULL OR t.version = $2::text)
          AND ${isLive} RETURNING 1)
      SELECT ${watched} FROM removed`,

    page: `SELECT encode(p.key, 'hex') AS key, encode(p.value, 'hex') AS value, p.version FROM (
        SELECT t.key, t.value, t.version,
          sum(octet_length(t.value)) OVER (ORDER BY t.key ROWS UNBOUNDED PRECEDING) - octet_length(t.value) AS before
        FROM ${table} t WHERE t.kind = ${value} AND t.key >= $1::bytea AND t.key < $2::bytea AND ${isLive}
        ORDER BY t.key LIMIT $3::int) p
      WHERE p.before < $4::int ORDER BY p.key`,

    claim: `WITH clock AS (SELECT ${microseconds} AS now),
      claimed AS (INSERT INTO ${table} AS t (kind, key, value, token, ends_at)
        SELECT ${claim}, $1::bytea, $2::bytea, greatest(${microseconds}, $4::bigint + 1), ${after('$3::float8')}
        FROM clock WHERE $4::bigint <= clock.now + $5::bigint
        ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, ends_at = ${after('$3::float8')},
          token = CASE WHEN t.value = excluded.value AND t.ends_at > clock_timestamp() AND t.token > $4::bigint
            THEN t.token ELSE greatest(t.token + 1, ${microseconds}, $4::bigint + 1) END
        WHERE t.value IS NULL OR t.value = excluded.value OR t.ends_at <= clock_timestamp()
        RETURNING token, (extract(epoch FROM ends_at - clock_timestamp()) * 1000)::text AS remaining)
      SELECT clock.now::text AS now, claimed.token::text AS token, claimed.remaining${alsoSynchronized}
      FROM clock LEFT JOIN claimed ON true`,

    release: `UPDATE ${table} t SET value = NULL, ends_at = clock_timestamp()
      WHERE t.kind = ${claim} AND t.key = $1::bytea AND t.token = $2::bigint AND ${isLive} RETURNING 1${alsoSynchronized}`,

    sweep: `WITH due AS (SELECT t.key, t.value IS NULL AS is_deleted FROM ${table} t
        WHERE t.kind = ${value} AND t.ends_at <= statement_timestamp()
        ORDER BY t.ends_at LIMIT ${sweepRows} FOR UPDATE SKIP LOCKED),
      expired AS (UPDATE ${table} t ${erase} FROM due
        WHERE NOT due.is_deleted AND t.kind = ${value} AND t.key = due.key),
      forgotten AS (DELETE FROM ${table} t USING due
        WHERE due.is_deleted AND t.kind = ${value} AND t.key = due.key),
      ended AS (SELECT t.key FROM ${table} t WHERE ${hasLongEnded} LIMIT ${sweepRows}),
      forgotten_claims AS (DELETE FROM ${table} t USING ended WHERE t.key = ended.key AND ${hasLongEnded}),
      gone AS (DELETE FROM ${table} t WHERE t.kind = ${watcher} AND t.ends_at <= statement_timestamp())
      SELECT (SELECT count(*) FROM due)::text AS due, ${watched}`,

    notify: `SELECT pg_notify('${channel}', '')`,

    attend: `INSERT INTO ${table} AS t (kind, key, version, ends_at)
      VALUES (${epoch}, '', gen_random_uuid()::text, NULL), (${watcher}, $1::bytea, NULL, ${after(watchesForMs)})
      ON CONFLICT (kind, key) DO UPDATE SET ends_at = excluded.ends_at WHERE t.kind = ${watcher}`,

    poll: `SELECT pg_current_snapshot()::text AS snapshot,
        (extract(epoch FROM statement_timestamp()) * 1000)::text AS at,
        (SELECT t.version FROM ${table} t WHERE t.kind = ${epoch} AND t.key = '') AS epoch,
        (SELECT 1 FROM ${table} t WHERE t.kind = ${value} AND t.ends_at <= statement_timestamp() LIMIT 1)::text AS due,
        (SELECT string_agg(encode(c.key, 'hex'), ',') FROM (SELECT t.key FROM ${table} t
          WHERE t.changed >= pg_snapshot_xmin($1::pg_snapshot) AND t.changed < pg_snapshot_xmax(pg_current_snapshot())
            AND NOT pg_visible_in_snapshot(t.changed, $1::pg_snapshot)
          ORDER BY t.changed LIMIT ${pollKeys + 1}) c) AS keys`,

    endSessions: `SELECT (a.backend_start IS NULL)::text AS hidden,
        CASE WHEN a.backend_start IS NOT NULL THEN pg_terminate_backend(a.pid) END AS told FROM pg_stat_activity a
      JOIN unnest($1::int4[], $2::float8[], $3::text[]) AS lost(pid, age, server) ON a.pid = lost.pid
      WHERE a.usename = session_user AND a.datname = current_database() AND lost.server = ${serverStarted}
        AND coalesce(a.backend_start <= clock_timestamp() - lost.age * interval '1 millisecond', true)`,
  });
}

/** Of the transaction that evaluates it, and read when that commits. */
const synchronized = `CASE WHEN current_setting('synchronous_commit') = 'off'
    THEN set_config('synchronous_commit', 'on', true) END AS synchronized`;

/** A token is at least this, so it grows also where the table's history was lost. */
const microseconds = '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint';

const longAgo = `statement_timestamp() - interval '${endedClaimForMs} milliseconds'`;

/** Its token must be one that the clock does not return again. */
const hasLongEnded = `t.kind = ${claim} AND t.ends_at < ${longAgo} AND t.token < extract(epoch FROM ${longAgo}) * 1000000`;

/** Names depend on the text, so that stores over different tables can share connections. */
function named(texts: Readonly<Record<keyof Statements, string>>): Statements {
  const pairs = Object.entries(texts).map(([key, text]) => [
    key,
    { name: `ashlar_${key}_${shortHash(text)}`, text },
  ]);
  return Object.fromEntries(pairs) as Record<keyof Statements, Statement<never>>;
}
