import type { Sighting, TermEnd } from '../../server.ts';
import type { Position } from '../../session.ts';

/**
 * Raises `synchronous_commit` where it is weaker than `on`, and lets warnings through: the one that tells of a commit
 * which nobody acknowledged is a warning.
 */
export const setup = `
SELECT set_config('synchronous_commit', 'on', false)
  FROM pg_settings WHERE name = 'synchronous_commit' AND setting NOT IN ('on', 'remote_apply')
UNION ALL
SELECT set_config('client_min_messages', 'warning', false)
  FROM pg_settings WHERE name = 'client_min_messages' AND setting = 'error'`;

/** All settings of the session as they were when it began, also who it is. */
export const reset = 'RESET SESSION AUTHORIZATION; RESET ALL';

/** The timeline is read from the name of a WAL file; that of the last checkpoint is behind after a promotion. */
export const primaryTimeline: string =
  "('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int";

/**
 * Another one when the server was started again, and when it has started its processes anew after one of them crashed: the
 * time of its start stays then, but its statistics begin anew.
 */
export const instance: string =
  "pg_postmaster_start_time() || ' ' || (SELECT coalesce(stats_reset::text, '') FROM pg_stat_bgwriter)";

/** Bytes of WAL, as a number: a pg_lsn has no other form that is one. */
const bytes = (lsn: string) => `(${lsn} - '0/0')::text`;

/** Whichever of what a standby receives, has made durable and began from is the latest. */
const standbyTimeline = `greatest((SELECT received_tli FROM pg_stat_wal_receiver),
  (SELECT min_recovery_end_timeline FROM pg_control_recovery()), (SELECT timeline_id FROM pg_control_checkpoint()))`;

/** One row of a `LookRow`. */
export const look: string = `
SELECT pg_is_in_recovery() AS "isReplica",
  (SELECT count(*) > 0 FROM pg_stat_wal_receiver WHERE status = 'streaming') AS "isReceiving",
  (SELECT CASE WHEN count(*) = count(state)
    THEN count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) END::int
    FROM pg_stat_replication) AS acknowledging,
  current_setting('default_transaction_read_only') = 'on' AS "isReadOnly",
  CASE WHEN pg_is_in_recovery() THEN ${standbyTimeline} ELSE ${primaryTimeline} END AS timeline,
  CASE WHEN pg_is_in_recovery() THEN ${bytes('pg_last_wal_replay_lsn()')}
    ELSE ${bytes('pg_current_wal_flush_lsn()')} END AS bytes,
  ${instance} AS instance,
  (SELECT system_identifier FROM pg_control_system())::text AS cluster`;

/** As `look`, of where the server is. */
export const position: string = `
SELECT CASE WHEN pg_is_in_recovery() THEN ${standbyTimeline} ELSE ${primaryTimeline} END AS timeline,
  CASE WHEN pg_is_in_recovery() THEN ${bytes('pg_last_wal_replay_lsn()')}
    ELSE ${bytes('pg_current_wal_flush_lsn()')} END AS bytes`;

/** Where the primary is. In the message of a COMMIT, after it: within the transaction it would not be far enough. */
export const primaryPosition: string = `SELECT ${primaryTimeline} AS timeline, ${bytes('pg_current_wal_flush_lsn()')} AS bytes`;

/** A commit that changes nothing and waits for the standbys as every other. */
export const barrier = "SELECT pg_logical_emit_message(true, 'ashlar', '')";

/** Makes all durable here that was committed, also by who does not wait for the disk; waits for no standby. */
export const flush: string = `BEGIN READ WRITE; SET LOCAL synchronous_commit = local; ${barrier}; COMMIT`;

/** Milliseconds between two attempts of a standby to connect: so long nobody acknowledges after a promotion. */
const mostRetryMs = 100;

/** A row with the settings that a set which leads presumes. */
export const settings = `SELECT setting::int AS "retryMs" FROM pg_settings WHERE name = 'wal_retrieve_retry_interval'`;

/** What an operator should know of the settings. */
export function concernsOf({ retryMs }: { readonly retryMs: number }): string[] {
  if (retryMs <= mostRetryMs) return [];
  return [
    `wal_retrieve_retry_interval is ${retryMs} ms: writes may wait so long after a promotion; at most ${mostRetryMs} ms are presumed`,
  ];
}

/** What tells later what became of the transaction that has just begun. */
export const begun: string = `SELECT pg_current_xact_id()::text AS xid, ${instance} AS instance,
  current_setting('transaction_read_only') = 'on' AS "isReadOnly", ${primaryTimeline} AS timeline`;

/** What is set within a transaction ends with it: so nothing that the work has set weakens the commit. */
export const guard = "SET LOCAL synchronous_commit = 'on'; SET LOCAL client_min_messages = 'warning'";

/** The file that tells where earlier timelines ended; NULL where there is none. Not everybody may read it. */
export function history(timeline: number): string {
  const name = `pg_wal/${timeline.toString(16).padStart(8, '0').toUpperCase()}.history`;
  return `SELECT pg_read_file('${name}', 0, 1000000, true) AS text`;
}

export interface PositionRow {
  readonly timeline: number;
  readonly bytes: string | null;
}

export interface LookRow extends PositionRow {
  readonly isReplica: boolean;
  readonly isReceiving: boolean;
  /** NULL where the user may not see it. */
  readonly acknowledging: number | null;
  readonly isReadOnly: boolean;
  readonly instance: string;
  readonly cluster: string;
}

export function positionOf({ timeline, bytes }: PositionRow): Position {
  return { term: timeline, offset: BigInt(bytes ?? 0) };
}

export function sightingOf(row: LookRow, termEnds: readonly TermEnd[] | undefined): Sighting {
  const { isReplica, isReceiving, acknowledging, isReadOnly, instance, cluster } = row;
  const place = { position: positionOf(row), termEnds, instance, cluster };
  if (isReplica) return { role: 'replica', isReceiving, ...place };
  return { role: 'primary', isFenced: isReadOnly, acknowledging: acknowledging ?? undefined, ...place };
}

/** The lines of a timeline's history: its number, the LSN where it ended, and why. */
export function termEndsOf(history: string): TermEnd[] {
  return [...history.matchAll(/^\s*(\d+)\s+([0-9A-F]+)\/([0-9A-F]+)/gim)].map(([, timeline, high, low]) => ({
    term: Number(timeline),
    offset: (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`),
  }));
}
