import { QueueUnavailableError } from '../errors.ts';
import { horizon } from '../transactions/horizon.ts';
import { lockNumber } from '../transactions/key-locks.ts';
import type { Session } from '../transactions/pool.ts';
import { hashNumber, literal, type TableName } from '../transactions/tables/table-name.ts';
import { laneCount } from './table.ts';

/** How many lanes a relay takes at once, so that others find some too. */
export const lanesAtOnce = 16;
/** The most rows of a lane at once, and of bytes of their bodies: a large body comes alone. */
export const rowsOfLane = 64;
const bytesOfLane = 1_000_000;

/** What the relay selects of a row. Its place holds as long as the lane is locked. */
const selected = `place, id::text, topic, name, key, encode(body, 'base64') AS body, rest, failures::text,
  greatest(0, round(extract(epoch FROM clock_timestamp() - made) * 1000))::text AS age`;

/** Whether a row waits after a failure. None does for longer than the longest pause, though the server's clock was set back. */
const waits = (row: string, maxPauseMs: number) =>
  `${row}.due > clock_timestamp() AND ${row}.due <= clock_timestamp() + ${maxPauseMs} * interval '1 millisecond'`;

/** Rows that may be published: not those that wait after a failure, nor those behind one of their key. */
const ready = (
  { sql }: TableName,
  maxPauseMs: number,
) => `(o.due IS NULL OR NOT (${waits('o', maxPauseMs)})) AND NOT EXISTS (
      SELECT 1 FROM ${sql} AS e WHERE ${waits('e', maxPauseMs)}
        AND e.lane = o.lane AND e.topic = o.topic AND e.key = o.key AND e.id < o.id)`;

/**
 * The first rows of a lane: of each topic of $2, and of each gap between topics of $3 and $4. Each is one look into the
 * index, whatever lies in the topics that are left out, and whatever dead rows are before the floor.
 */
const firstRows = (
  { sql }: TableName,
  {
    lane,
    floor,
    where,
    columns,
    limit,
  }: Readonly<Record<'lane' | 'floor' | 'where' | 'columns' | 'limit', string>>,
) => {
  const rows = (topic: string, order: string) => `LATERAL (SELECT ${columns} FROM ${sql} AS o
      WHERE o.lane = ${lane} AND ${topic} AND o.id >= ${floor} AND ${where} ORDER BY ${order} LIMIT ${limit}) AS found`;
  return `SELECT found.* FROM unnest($2::text::text[]) AS p (topic), ${rows('o.topic = p.topic', 'o.id')}
    UNION ALL SELECT found.* FROM unnest($3::text::text[], $4::text::text[]) AS gap (low, high),
      ${rows('o.topic > gap.low AND o.topic < gap.high', 'o.topic, o.id')}`;
};

/** Lanes with the ids that none of their rows is below, from $1. */
const lanesFrom = 'unnest($1::text::bigint[]) WITH ORDINALITY AS lanes (floor, number)';

/** Why no row could be deleted when it is published: it would be published again and again. Null where it could. */
const barred = ({ sql }: TableName) => `CASE
    WHEN current_setting('transaction_read_only') = 'on' THEN 'the server takes no writes here'
    WHEN NOT (has_table_privilege(to_regclass(${literal(sql)}), 'DELETE') AND has_table_privilege(to_regclass(${literal(sql)}), 'UPDATE'))
      THEN current_user || ' may not delete and update rows of the outbox' END`;

/** A lane as a relay claims it. */
export interface Lane {
  readonly lane: string;
  readonly held: string;
  readonly barred: string | null;
}

/** @throws QueueUnavailableError where rows could be published and never deleted */
export function checkAllowed(session: Session, [first]: readonly Lane[]): void {
  if (first == null || first.barred === null) return;
  session.isReadOnly = true; // Another connection may lead to another server
  throw new QueueUnavailableError(`nothing is relayed: ${first.barred}`, 'NotExecuted');
}

/**
 * Takes lanes that have rows, until the end of the transaction; `held` is `false` for one that another relay has.
 * Parameters: the floors of all lanes, null for those that are left out, topics, the low and high ends of the gaps between topics.
 */
const claim = (table: TableName, maxPauseMs: number): string => `WITH busy AS MATERIALIZED (
    SELECT (number - 1)::smallint AS lane FROM ${lanesFrom} WHERE lanes.floor IS NOT NULL AND EXISTS (${firstRows(
      table,
      {
        lane: '(lanes.number - 1)::smallint',
        floor: 'lanes.floor',
        where: ready(table, maxPauseMs),
        columns: '1',
        limit: '1',
      },
    )})
    ORDER BY random() LIMIT ${lanesAtOnce}
  ) SELECT lane::text, pg_try_advisory_xact_lock(
    ${lockNumber('relay', `${table.literal} || ' ' || lane::text`)})::text AS held, ${barred(table)} AS barred FROM busy`;

/**
 * The rows of lanes, those of a topic in the order of their ids. A statement of its own after `claim`: its snapshot must
 * be later than the locks, or it would show rows that another relay has just published and deleted. Parameters: as for
 * `claim`, the lanes, the most rows of a topic and lane.
 */
const read = (table: TableName, maxPauseMs: number): string => `SELECT ${selected}
  FROM ${lanesFrom}, LATERAL (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before
    FROM (${firstRows(table, {
      lane: '(lanes.number - 1)::smallint',
      floor: 'lanes.floor',
      where: ready(table, maxPauseMs),
      columns: 'o.*, o.ctid::text AS place',
      limit: '$6::text::integer',
    })}) AS first) AS found
  WHERE lanes.number - 1 = ANY ($5::text::integer[]) AND before < ${bytesOfLane} ORDER BY found.id`;

/**
 * The lowest id of each lane, where ids come from, and which transactions are open. Parameters: as for `claim`, of all
 * topics, whether it marks, and whether writers are asked for. A transaction of its own, which has its number for a moment.
 */
const floors = (table: TableName): string => `SELECT (SELECT json_agg((
      SELECT min(id)::text FROM (${firstRows(table, {
        lane: '(lanes.number - 1)::smallint',
        floor: 'lanes.floor',
        where: 'true',
        columns: 'o.id',
        limit: '1',
      })}) AS first) ORDER BY number)::text FROM ${lanesFrom}) AS lowest,
    pg_postmaster_start_time()::text || ' ' || pg_relation_filenode(to_regclass(${literal(table.sql)})) AS origin,
    ${horizon(table.sql, '$5::text::boolean', '$6::text::boolean')}`;

/** Parameters: the places of rows, their ids: what somebody else has deleted meanwhile may have left its place to another row. */
const remove = ({ sql }: TableName): string =>
  `DELETE FROM ${sql} WHERE ctid = ANY ($1::text::tid[]) AND id = ANY ($2::text::bigint[])`;

/** What failed: each with its `pause` in milliseconds, or `dead`. Those that are dead leave their lane. Parameters: their places, the same as JSON. */
const postpone = ({ sql }: TableName): string => `UPDATE ${sql} AS o SET
    failures = o.failures + f.charge, reason = f.reason,
    due = CASE WHEN f.dead THEN NULL ELSE clock_timestamp() + f.pause * interval '1 millisecond' END,
    lane = CASE WHEN f.dead THEN -1 - o.lane ELSE o.lane END,
    died = CASE WHEN f.dead THEN clock_timestamp() END
  FROM json_to_recordset($2::text::json) AS f (id bigint, charge integer, reason text, pause integer, dead boolean)
  WHERE o.ctid = ANY ($1::text::tid[]) AND o.id = f.id`;

/** How many rows wait, up to 100 000, and for how long the oldest. Parameter: an id that no row is below. */
export const lag = ({ sql }: TableName): string => `WITH RECURSIVE firsts AS (
    (SELECT lane, topic, made FROM ${sql} WHERE lane >= 0 AND id >= $1::text::bigint
      ORDER BY lane, topic, id LIMIT 1)
    UNION ALL SELECT next.* FROM firsts AS f, LATERAL (SELECT lane, topic, made FROM ${sql} AS o
      WHERE (o.lane, o.topic) > (f.lane, f.topic) AND o.id >= $1::text::bigint
      ORDER BY lane, topic, id LIMIT 1) AS next)
  SELECT (SELECT count(*) FROM (SELECT 1 FROM ${sql} WHERE lane >= 0 AND id >= $1::text::bigint LIMIT 100000) AS first)::text AS waiting,
    (SELECT round(extract(epoch FROM clock_timestamp() - min(made)) * 1000)::text FROM firsts) AS oldest`;

/**
 * The oldest transaction that has written into the outbox and is not committed, or that keeps deleted rows from being
 * vacuumed. What others do is shown to members of `pg_read_all_stats` only.
 */
export const longest = ({ sql }: TableName): string => `SELECT a.pid::text,
    round(extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::text AS age, (l.pid IS NOT NULL)::text AS writes
  FROM pg_stat_activity AS a LEFT JOIN (
    SELECT DISTINCT pid FROM pg_locks
    WHERE relation = to_regclass(${literal(sql)}) AND mode = 'RowExclusiveLock' AND granted
  ) AS l ON l.pid = a.pid
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
    AND (l.pid IS NOT NULL OR a.backend_xmin IS NOT NULL)
  ORDER BY a.xact_start LIMIT 1`;

/** All lanes with no floor. */
export const noFloors: string = `{${Array.from({ length: laneCount }, () => 0).join()}}`;

/**
 * Begins a transaction of prepared statements too. A plan is kept for any size of the table: over the single page that it
 * may have when it is made, reading it from end to end is cheapest, and would be done over a backlog as well.
 */
export const keptPlans: string =
  '; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off';

/** Statements of a relay. Planning one costs the server more than executing it. */
export class RelayStatements {
  readonly claim: string;
  readonly read: string;
  readonly floors: string;
  readonly remove: string;
  readonly postpone: string;
  /** The names that those are prepared under which come before anything is published. */
  readonly names: Readonly<Record<'claim' | 'read', string>>;

  /** @param maxPauseMs the longest pause after a failure */
  constructor(table: TableName, maxPauseMs: number) {
    this.claim = claim(table, maxPauseMs);
    this.read = read(table, maxPauseMs);
    this.floors = floors(table);
    this.remove = remove(table);
    this.postpone = postpone(table);
    const nameOf = (text: string) => `ashlar_outbox_${hashNumber(text)}`;
    this.names = { claim: nameOf(this.claim), read: nameOf(this.read) };
  }
}
