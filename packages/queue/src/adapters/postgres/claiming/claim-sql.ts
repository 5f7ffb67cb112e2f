import { horizon } from '../../../transactions/horizon.ts';
import { timeText } from '../../../transactions/time-text.ts';
import { synchronized } from '../publish.ts';
import { oneOf, since, type Tables } from '../tables.ts';

const now = 'statement_timestamp()';
/**
 * Of a group that is open, the priorities that there may be, from the highest: each costs a way down the index. Numbers
 * begin anew when tables are emptied or made again, so the names are asked for too.
 */
const open = ({ groups }: Tables, topic: string, name: string) =>
  `(SELECT g.priorities FROM ${groups} g WHERE g.grp = $1::int AND g.topic = ${topic}::text AND g.name = ${name}::text AND NOT g.paused)`;
const series = (priorities: string) =>
  `(SELECT p FROM generate_series(9, 0, -1) AS p WHERE (${priorities} >> p) & 1 = 1) AS p`;
/** Read after the transaction has its number and the table its lock: `DueFloors` rests on that. */
const later = (ms: string) => `clock_timestamp() + ${ms}::float8 * interval '1 millisecond'`;
const isLive = `(j.expires IS NULL OR j.expires > ${now})`;
const given = 'j.seq, j.pos, j.priority, j.id, j.lane, j.headers, j.deliveries, j.failures, j.body';
/** What is taken, as one row whose parts a client reads at once: JSON of `Taken`, and all bodies one after the other. */
const gathered = `json_agg(json_build_array(t.seq::text, t.id, t.lane, t.headers, t.deliveries, t.failures,
    octet_length(t.body)))::text AS taken, string_agg(t.body, ''::bytea) AS bodies, ${synchronized} AS synchronized`;
const inOrder = (order: string) => `(SELECT * FROM taken ORDER BY ${order}) t`;
const take = `SET state = 2, at = ${later('$3')}, token = $4::int, deliveries = j.deliveries + 1, pauses = false, ${since}`;
/** Of bodies, in one claim: it ends with the message that reaches it, so that its answer comes in time. */
const claimBytes = 8 * 2 ** 20;
const fitting = (rows: string, order: string) =>
  `(SELECT s.*, sum(s.size) OVER (ORDER BY ${order}) - s.size AS before FROM (${rows}) s) b WHERE b.before < ${claimBytes}`;
/** What has waited for longer than its caller does takes nothing. */
const inTime = `clock_timestamp() < ${now} + $5::float8 * interval '1 millisecond'`;

/** Where rows may be: at the transactions of `open`, each a position of its own, and from the floor on. */
const ranges = (
  floor: string,
  open: string,
) => `LATERAL (SELECT o.x AS low, o.x AS high FROM unnest(${open}::text[]) AS t(x),
    LATERAL (SELECT t.x::xid8 AS x) AS o WHERE o.x < ${floor}
  UNION ALL SELECT ${floor}, '18446744073709551615'::xid8) AS range`;

/** Rows that are ready, the first by priority, then in the order in which they became so. */
const readyRows = (
  { jobs }: Tables,
  {
    priorities,
    columns,
    floors,
    open,
    limit,
    lock = '',
  }: Readonly<Record<'priorities' | 'columns' | 'floors' | 'open' | 'limit', string>> & {
    readonly lock?: string;
  },
) => `SELECT found.* FROM ${priorities} CROSS JOIN ${ranges(`(${floors}::text[])[p.p + 1]::xid8`, open)} CROSS JOIN LATERAL (
      SELECT ${columns} FROM ${jobs} j WHERE j.grp = $1::int AND j.state = 0 AND j.priority = p.p
        AND j.pos >= range.low AND j.pos <= range.high AND ${isLive} ORDER BY j.pos, j.seq LIMIT ${limit} ${lock}) found
    LIMIT ${limit}`;

/**
 * Claims what is ready, by priority, then in the order in which it became so.
 *
 * Parameters: group, places, lease in ms, token, timeout in ms, for each priority the position that no ready row is below
 * but those of the open transactions, these, and the names of topic and group. A claim begins there, or it would walk over
 * all that was settled since the last vacuum, which an old snapshot of anyone holds up.
 */
export function plainClaim(tables: Tables): string {
  const rows = readyRows(tables, {
    priorities: series(open(tables, '$8', '$9')),
    columns: 'j.seq, j.pos, p.p, octet_length(j.body) AS size',
    floors: '$6',
    open: '$7',
    limit: '$2::int',
    lock: 'FOR UPDATE SKIP LOCKED',
  });
  return `WITH picked AS MATERIALIZED (SELECT b.seq FROM ${fitting(rows, 's.p DESC, s.pos, s.seq')}),
    taken AS (UPDATE ${tables.jobs} j ${take} WHERE ${oneOf('picked')} AND ${inTime} RETURNING ${given})
    SELECT ${gathered} FROM ${inOrder('priority DESC, pos, seq')}`;
}

/** How many transactions are looked at one by one. */
const maxOpen = 8;

/**
 * For each priority, the position that no ready row is below, now or ever, and the same of those with a key that are in
 * hands or pause: all transactions before it have ended, as a row gets the number of the transaction that makes it so. But
 * for `open`: those that were open at the look before too, whose rows are looked for one by one. Rows that another claim has
 * locked count, as it may roll back.
 *
 * Parameters: group, the positions that were known before and the open transactions, those that ran at the look before.
 */
export function claimFloors({ jobs, groups }: Tables): string {
  const used = `((SELECT g.priorities FROM ${groups} g WHERE g.grp = $1::int) >> p) & 1 = 1`;
  const first = (
    column: string,
    where: string,
    floor: string,
  ) => `(SELECT found.x FROM ${ranges(floor, '$4')} CROSS JOIN LATERAL (
      SELECT j.${column} AS x FROM ${jobs} j WHERE j.grp = $1::int AND ${where}
        AND j.${column} >= range.low AND j.${column} <= range.high ORDER BY j.${column} LIMIT 1) found ORDER BY x LIMIT 1)`;
  return `WITH running AS MATERIALIZED (SELECT x FROM pg_snapshot_xip(pg_current_snapshot()) AS x),
    kept AS MATERIALIZED (SELECT x FROM running WHERE x = ANY ($5::text[]::xid8[]) ORDER BY x LIMIT ${maxOpen}),
    bound AS MATERIALIZED (SELECT least(pg_snapshot_xmax(pg_current_snapshot()),
      (SELECT x FROM running WHERE x NOT IN (SELECT x FROM kept) ORDER BY x LIMIT 1)) AS x)
    SELECT ARRAY(SELECT least(b.x, CASE WHEN ${used} THEN ${first('pos', 'j.state = 0 AND j.priority = p', '($2::text[])[p + 1]::xid8')} END)::text
        FROM generate_series(0, 9) AS p ORDER BY p) AS ready,
      least(b.x, ${first('since', `j.lane <> '' AND (j.state + 0 = 2 OR j.pauses)`, '$3::xid8')})::text AS busy,
      b.x::text AS bound, ARRAY(SELECT x::text FROM kept ORDER BY x) AS open, ARRAY(SELECT x::text FROM running) AS running,
      pg_postmaster_start_time()::text AS origin
    FROM bound b`;
}

/** How many lanes one keyed claim looks at. */
const laneLimit = 1_000;

/** How many ready rows a keyed claim takes for few. */
const fewRows = 1_000;

/**
 * Claims by key, while no other claim of the group runs: by `ordered`, `fair` and limits.
 *
 * Parameters: group, places, lease in ms, token, timeout in ms, the lane to begin after, ordered, fair, the most of a key
 * in hands, the interval and burst in ms of the rates of a key and of the group, the names of topic and group, the position
 * that no busy row is below but those of the open transactions, and these: what is busy is looked for from there, or a claim
 * would walk over all of a key that was settled under an old snapshot.
 *
 * @param of `few`: as long as few rows are ready, which are looked at from the positions of one more parameter, as in
 *   `plainClaim`; else nothing is claimed, and `full` is true. `all` goes from key to key, over whatever was settled; one
 *   more parameter says whether it looks for messages without a key, which no index has: it walks over all that is ready.
 */
export function keyedClaim(tables: Tables, of: 'few' | 'all'): string {
  const { jobs, buckets } = tables;
  const rank = 'CASE WHEN $7::boolean THEN 0 ELSE -h.priority END, h.seq';
  // GCRA: how many may start now
  const allowed = (
    lane: string,
    interval: string,
    burst: string,
  ) => `CASE WHEN ${interval}::float8 IS NULL THEN $2::int
    ELSE least($2::int, greatest(0, floor(1 + (${burst}::float8 - 1000 * coalesce((SELECT greatest(0, extract(epoch FROM b.fullat - ${now}))
      FROM ${buckets} b WHERE b.grp = $1::int AND b.lane = ${lane}), 0)) / ${interval}::float8)))::int END`;
  const priorities = series(open(tables, '$14', '$15'));
  const found = readyRows(tables, {
    priorities,
    columns: 'j.seq, j.lane, j.priority',
    floors: '$18',
    open: '$17',
    limit: `${fewRows + 1}`,
  });
  const few = `found AS MATERIALIZED (${found}),
    ready AS MATERIALIZED (SELECT f.* FROM found f WHERE (SELECT count(*) FROM found) <= ${fewRows}),`;
  const headsOfFew = (lane: string, limit: string) =>
    `SELECT h.seq, h.priority FROM ready h WHERE h.lane = ${lane} ORDER BY ${rank} LIMIT ${limit}`;
  const headsOfAll = (lane: string, limit: string) => `SELECT h.seq, h.priority FROM ${priorities}
    CROSS JOIN LATERAL (SELECT j.seq, j.priority FROM ${jobs} j WHERE j.grp = $1::int AND j.state = 0
      AND j.lane = ${lane}${lane === `''` ? '' : ` AND j.lane <> ''`}
      AND j.priority = p.p AND ${isLive} ORDER BY j.seq LIMIT ${limit}) h ORDER BY ${rank} LIMIT ${limit}`;
  const heads = of === 'few' ? headsOfFew : headsOfAll;
  const next = (
    than: string,
  ) => `(SELECT j.lane FROM ${jobs} j WHERE j.grp = $1::int AND j.state = 0 AND j.lane <> ''
    AND j.lane > ${than} ORDER BY j.lane LIMIT 1)`;
  // Written so that no index fits but that of busy rows: that of leases has no keys
  const busy = `(SELECT sum(part.n)::bigint FROM ${ranges('$16::xid8', '$17')} CROSS JOIN LATERAL (
      SELECT count(*) AS n FROM ${jobs} j WHERE j.grp = $1::int AND j.lane = l.lane AND j.lane <> ''
        AND j.since >= range.low AND j.since <= range.high AND (j.state = 2 OR j.pauses) AND (j.state + 0 = 2 OR $7::boolean)) part)`;
  const spent = (count: string, interval: string) =>
    `greatest(b.fullat, ${now}) + ${count} * ${interval}::float8 * interval '1 millisecond'`;
  const more =
    of === 'few'
      ? `(SELECT count(*) FROM found) > ${fewRows} AS full`
      : `(SELECT lane FROM lanes WHERE n = ${laneLimit}) AS more`;
  const lanesOfFew = `SELECT r.lane, row_number() OVER (ORDER BY r.lane) AS n
      FROM (SELECT DISTINCT lane FROM ready WHERE lane > $6::text AND lane <> '') r`;
  const lanesOfAll = `SELECT ${next('$6::text')} AS lane, 1 AS n
      UNION ALL SELECT ${next('lanes.lane')}, n + 1 FROM lanes WHERE lanes.lane IS NOT NULL AND n < ${laneLimit}`;
  return `WITH RECURSIVE ${of === 'few' ? few : ''} lanes AS (${of === 'few' ? lanesOfFew : lanesOfAll}),
    rooms AS MATERIALIZED (SELECT l.lane, l.n, CASE WHEN $7::boolean THEN (CASE WHEN ${busy} = 0 THEN 1 ELSE 0 END) ELSE
        greatest(0, least($2::int, coalesce($9::bigint, 2147483647) - ${busy}))::int END AS places
      FROM lanes l WHERE l.lane IS NOT NULL),
    heads AS (
      SELECT c.seq, c.priority, l.lane, l.n FROM rooms l
        CROSS JOIN LATERAL (SELECT least(l.places, ${allowed('l.lane', '$10', '$11')}) AS places) room
        CROSS JOIN LATERAL (${heads('l.lane', 'room.places')}) c
      UNION ALL SELECT c.seq, c.priority, '', 0 FROM (${heads(`''`, '$2::int')}) c${of === 'all' ? ' WHERE $18::boolean' : ''}),
    turns AS (SELECT h.*, row_number() OVER (PARTITION BY h.lane ORDER BY ${rank}) AS turn FROM heads h),
    chosen AS (SELECT h.seq FROM turns h ORDER BY CASE WHEN $8::boolean THEN h.turn ELSE 0 END,
        CASE WHEN $8::boolean THEN h.n ELSE 0 END, -h.priority, h.seq LIMIT least($2::int, ${allowed(`''`, '$12', '$13')})),
    locked AS MATERIALIZED (SELECT j.seq, j.lane, octet_length(j.body) AS size FROM ${jobs} j
        WHERE ${oneOf('chosen')} AND j.state + 0 = 0 AND ${inTime}
        AND ${open(tables, '$14', '$15')} IS NOT NULL FOR UPDATE OF j SKIP LOCKED),
    picked AS MATERIALIZED (SELECT b.seq, b.lane FROM ${fitting('SELECT * FROM locked', 's.seq')}),
    spent AS (SELECT '' AS lane, count(*)::int AS n, $12::float8 AS interval FROM picked HAVING count(*) > 0
      UNION ALL SELECT lane, count(*)::int, $10::float8 FROM picked WHERE lane <> '' GROUP BY lane),
    filled AS (INSERT INTO ${buckets} AS b (grp, lane, fullat)
      SELECT $1::int, lane, ${now} + n * interval * interval '1 millisecond' FROM spent WHERE interval IS NOT NULL
      ON CONFLICT (grp, lane) DO UPDATE SET fullat = ${spent(
        '(SELECT n FROM spent WHERE spent.lane = b.lane)',
        '(SELECT interval FROM spent WHERE spent.lane = b.lane)',
      )}),
    taken AS (UPDATE ${jobs} j ${take} WHERE ${oneOf('picked')} RETURNING ${given})
    SELECT ${gathered}, max(t.lane) AS last, ${more}
      FROM ${inOrder('CASE WHEN $7::boolean THEN 0 ELSE -priority END, seq')}`;
}

/** Gives back, uncharged, what claims have taken whose caller knows nothing of it. Parameters: group, their tokens. */
export function giveBack({ jobs }: Tables): string {
  return `WITH lost AS MATERIALIZED (SELECT j.seq FROM ${jobs} j WHERE j.grp = $1::int AND j.state = 2 AND j.at > ${now}
      AND j.token = ANY ($2::int[]) FOR UPDATE SKIP LOCKED)
    UPDATE ${jobs} j SET state = 0, at = NULL, pos = pg_current_xact_id(), deliveries = j.deliveries - 1
      WHERE ${oneOf('lost')}`;
}

/** How many rows one statement tends. */
export const tendRows = 1_000;

/**
 * Makes ready what is due: delays, pauses and leases that have ended; deletes what has expired. Answers with the group, its
 * snapshot, and the times from which the next look begins.
 *
 * Parameters: group, the times before which no row is due, loses its lease or expires, and the one before which all
 * transactions began that are over; the names of topic and group, whether it marks and whether
 * writers are asked for. A look begins there, or it would walk over all that was settled under an old snapshot.
 */
export function tend({ jobs, groups }: Tables): string {
  const rows = (state: string, time: string, from: string) =>
    `${jobs} j WHERE j.grp = $1::int AND ${state} AND j.${time} >= ${from}::timestamptz AND j.${time} <= ${now}`;
  const some = (state: string, time: string, from: string) =>
    `(SELECT j.seq FROM ${rows(state, time, from)} ORDER BY j.${time} LIMIT ${tendRows} FOR UPDATE SKIP LOCKED)`;
  const floor = (state: string, time: string, from: string) =>
    timeText(
      `least(${now}, $5::timestamptz, (SELECT j.${time} FROM ${rows(state, time, from)} ORDER BY j.${time} LIMIT 1))`,
    );
  return `WITH late AS MATERIALIZED ${some('j.state = 1', 'at', '$2')},
    lost AS MATERIALIZED ${some('j.state = 2', 'at', '$3')},
    due AS (SELECT seq FROM late UNION ALL SELECT seq FROM lost),
    ready AS (UPDATE ${jobs} j SET state = 0, at = NULL, pauses = false, pos = pg_current_xact_id()
      WHERE ${oneOf('due')} RETURNING 1),
    over AS MATERIALIZED ${some('j.state < 2', 'expires', '$4')},
    gone AS (DELETE FROM ${jobs} j WHERE ${oneOf('over')} AND j.seq NOT IN (SELECT seq FROM late))
    SELECT g.paused, (SELECT count(*) FROM ready)::int AS ready, ${timeText(now)} AS looked,
      ${horizon(jobs, '$8::boolean', '$9::boolean')},
      ${floor('j.state = 1', 'at', '$2')} AS due, ${floor('j.state = 2', 'at', '$3')} AS leases,
      ${floor('j.state < 2', 'expires', '$4')} AS expiring,
      (1000 * extract(epoch FROM (SELECT j.at FROM ${jobs} j WHERE j.grp = $1::int AND j.state = 1 AND j.at > ${now}
        ORDER BY j.at LIMIT 1) - ${now}))::float8 AS nextms
    FROM ${groups} g
    WHERE g.grp = $1::int AND g.topic = $6::text AND g.name = $7::text`;
}
