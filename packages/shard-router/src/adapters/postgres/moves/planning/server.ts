import type { MoveSpec, Obstacle } from '../../../../moves/move-backend.ts';
import { relation } from '../names.ts';
import type { SqlSession } from '../sessions/sql-session.ts';

interface ServerRow {
  readonly version: number;
  readonly walLevel: string;
  readonly freeSlots: number;
  readonly freeSenders: number;
  readonly workers: number;
  readonly mayAdminister: boolean;
  readonly isReplica: boolean;
  readonly encoding: string;
  readonly losesCommits: boolean;
  readonly eventTriggers: readonly string[];
}

const server = `
  SELECT current_setting('server_version_num')::int AS version, current_setting('wal_level') AS "walLevel",
    current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots) AS "freeSlots",
    current_setting('max_wal_senders')::int - (SELECT count(*)::int FROM pg_stat_replication) AS "freeSenders",
    current_setting('max_logical_replication_workers')::int AS workers,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname IN
      ('pg_create_subscription', 'rds_superuser', 'cloudsqlsuperuser') AND pg_has_role(current_user, r.oid, 'member')) AS "mayAdminister",
    pg_is_in_recovery() AS "isReplica", current_setting('server_encoding') AS encoding,
    EXISTS (SELECT FROM pg_stat_replication r WHERE r.state = 'streaming' AND NOT EXISTS
      (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))
      AND current_setting('synchronous_standby_names') = '' AS "losesCommits",
    (SELECT coalesce(jsonb_agg(evtname), '[]') FROM pg_event_trigger WHERE evtenabled <> 'D') AS "eventTriggers"`;

/** Limits of time for whoever may replicate; `reset_val` is what sessions like ours begin with. */
const limits = `
  SELECT format('%s for %s', c, coalesce(r.rolname, 'all roles')) AS words FROM pg_db_role_setting s
  LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND coalesce(r.rolsuper OR r.rolreplication, true)
    AND c ~ '^(statement|transaction)_timeout=.*[1-9]'
  UNION SELECT format('%s=%s here', name, reset_val) FROM pg_settings
  WHERE name IN ('statement_timeout', 'transaction_timeout') AND reset_val <> '0' ORDER BY 1`;

/** What would end the copy of a large table again and again, if it is for who copies. */
export async function limitsOfServer(session: SqlSession, signal: AbortSignal): Promise<Obstacle[]> {
  const found = await session.run<{ words: string }>(limits, [], signal);
  return found.map(({ words }) => ({
    kind: 'time_limit',
    shard: session.shard,
    words: `${words}: the copy of a table is one statement, and must not be ended by it. Set it to 0 for the role of \`replication\``,
  }));
}

/** Of which rows no replication can tell: what is checked late identifies nothing, and what is generated is not sent. */
const untold = `
  SELECT w.name AS "table", bool_or(NOT i.indimmediate) AS "isLate" FROM unnest($1::text[], $2::text[]) w (name, quoted)
  JOIN pg_index i ON i.indrelid = to_regclass(w.quoted) AND i.indisprimary
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
  WHERE NOT i.indimmediate OR a.attgenerated <> '' GROUP BY w.name ORDER BY 1`;

/** Tables whose primary key does not identify rows that are replicated. */
async function faultsOfKeys(session: SqlSession, move: MoveSpec, signal: AbortSignal): Promise<Obstacle[]> {
  const names = Object.keys(move.tables);
  const found = await session.run<{ table: string; isLate: boolean }>(
    untold,
    [names, names.map(relation)],
    signal,
  );
  return found.map(({ table, isLate }) => ({
    kind: 'replica_identity',
    shard: session.shard,
    table,
    words: isLate
      ? 'its primary key is deferrable, and rows that are replicated cannot be told by it: make it NOT DEFERRABLE'
      : 'its primary key has a generated column, which is not replicated: make it an ordinary one, as by a trigger',
  }));
}

/** What the server of a shard lacks for moves by logical replication. */
export async function faultsOfServer(
  session: SqlSession,
  move: MoveSpec,
  signal: AbortSignal,
): Promise<Obstacle[]> {
  const { shard } = session;
  const tables = Object.keys(move.tables).length;
  const [row] = (await session.run<ServerRow>(server, [], signal)) as [ServerRow];
  const faults: [boolean, string, string][] = [
    [row.version < 150_000, 'version', `PostgreSQL ${row.version} has no filters of rows: use 15 or later`],
    [row.isReplica, 'replica', 'it is a standby: connect to the primary'],
    [row.walLevel !== 'logical', 'wal_level', `wal_level is ${row.walLevel}: set it to logical, and restart`],
    [
      row.freeSlots < 2 + Math.min(tables, 2),
      'max_replication_slots',
      `${row.freeSlots} replication slots are free: set max_replication_slots higher, and restart`,
    ],
    [
      row.freeSenders < 1 + Math.min(tables, 2),
      'max_wal_senders',
      `${row.freeSenders} senders of log are free: set max_wal_senders higher, and restart`,
    ],
    [
      row.workers < 2,
      'max_logical_replication_workers',
      'set max_logical_replication_workers to 4 or more, and restart',
    ],
    [!row.mayAdminister, 'privileges', 'its client may not create subscriptions: use a superuser for moves'],
    [
      row.encoding !== 'UTF8',
      'encoding',
      `its encoding is ${row.encoding}: the slot of a text is that of its UTF-8`,
    ],
    [
      row.losesCommits,
      'asynchronous_replica',
      'its standbys are asynchronous: one that is promoted may have neither fence nor rows. Set synchronous_standby_names',
    ],
    [
      row.eventTriggers.length > 0,
      'event_trigger',
      `event triggers (${row.eventTriggers.join(', ')}) may change what a move creates: disable them meanwhile`,
    ],
  ];
  const found = faults.flatMap(([isFault, kind, words]) => (isFault ? [{ kind, shard, words }] : []));
  return [...found, ...(await faultsOfKeys(session, move, signal))];
}
