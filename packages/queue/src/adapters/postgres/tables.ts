import { createHash } from 'node:crypto';
import { type Rule, refused } from '@ashlar/core';
import { hashNumber, literal, quote } from '../../transactions/tables/table-name.ts';
import type { ExpectedTable } from '../../transactions/tables/table-shape.ts';

// The states of a row of `jobs`: 0 ready, 1 later, 2 active, 3 dead, 4 done. Below 3, it is not settled.
// `since` of one with a key is the transaction that took it, extended its lease or had it pause.
// `groups.priorities` has the bit of each priority that was ever published to the group: of others, no row is looked for.

/** The quoted names of a driver's tables, to be written into statements. */
export interface Tables {
  /** As in the option. */
  readonly prefix: string;
  readonly groups: string;
  readonly jobs: string;
  readonly ids: string;
  readonly throttles: string;
  readonly buckets: string;
  /** Where publishers wake consumers. */
  readonly channel: string;
}

const columnsOf = {
  groups: { grp: 'integer', topic: 'text', name: 'text', paused: 'boolean', priorities: 'integer' },
  jobs: {
    ...{ seq: 'bigint', grp: 'integer', id: 'text', state: 'smallint', priority: 'smallint', pos: 'xid8' },
    ...{ lane: 'text', at: 'timestamp with time zone', expires: 'timestamp with time zone', since: 'xid8' },
    ...{ dedup: 'text', token: 'integer', deliveries: 'integer', failures: 'integer', pauses: 'boolean' },
    ...{ reason: 'text', headers: 'text', body: 'bytea', progress: 'bytea', result: 'bytea' },
  },
  ids: { name: 'uuid', at: 'timestamp with time zone' },
  throttles: { grp: 'integer', dedup: 'text', until: 'timestamp with time zone' },
  buckets: { grp: 'integer', lane: 'text', fullat: 'timestamp with time zone' },
} satisfies Partial<Record<keyof Tables, Readonly<Record<string, string>>>>;

/** The rule of `prefix`: `name` or `schema.name`, each of 1 to 40 bytes. */
export const tablesRule: Rule<Tables> = (value = 'ashlar_queue', option) => {
  const parts = typeof value === 'string' ? value.split('.') : [];
  const fits = parts.every(part => part !== '' && Buffer.byteLength(part) <= 40 && !part.includes('\0'));
  if (typeof value === 'string' && parts.length <= 2 && fits) return tablesOf(value);
  throw refused(option, 'a name or schema.name, each of at most 40 bytes', value);
};

/**
 * A condition on `j`: its number is among those of a query. No join: what autovacuum learns of a queue is that it has no
 * rows, for which a join reads an index from end to end, with all dead rows that an old snapshot keeps.
 */
export function oneOf(query: string): string {
  return `j.seq = ANY (ARRAY(SELECT seq FROM ${query}))`;
}

/** An assignment, of whatever has one with a key in hands or pausing. */
export const since = `since = CASE WHEN j.lane <> '' THEN pg_current_xact_id() END`;

/**
 * What is unique of a message. The group is an expression: by a plain column, the server would look for rows of a group
 * through the whole index whenever it last saw few rows, which is what it sees of a queue.
 */
export const uniqueId = '(id, (grp + 0))';

/** SQL of the name that an id is remembered by: half of a SHA-256, which is half as long as most ids with their topic. */
export function idName(topic: string, id: string): string {
  return `encode(substring(sha256(convert_to(${topic} || chr(10) || ${id}, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid`;
}

/** What is there when `creation` has run. */
export function expectedTables({ prefix, ...tables }: Tables): readonly ExpectedTable[] {
  return Object.entries(columnsOf).map(([suffix, columns]) => ({
    name: `${prefix}_${suffix}`,
    sql: tables[suffix as keyof typeof columnsOf],
    columns,
  }));
}

/** Whether all is there that this version needs, as `whole`: to be asked before `creation`, which waits for all who write. */
export function wholeness(tables: Tables): string {
  const there = (name: string) => `to_regclass(${literal(name)}) IS NOT NULL`;
  return `SELECT ${there(tables.groups)} AND ${there(tables.buckets)} AND ${there(quotedName(tables.prefix, 'taken'))} AS whole`;
}

/**
 * Creates what is missing, also of tables that an earlier version has made, in one transaction, one process at a time. The
 * conditions of `taken` and `hands` are the same and written differently, so that each fits one query only. A page of `jobs` has room for a second version of
 * each of its rows: a claim then writes to the same page, and the log has what it changes only.
 */
export function creation(tables: Tables): string {
  const { prefix, groups, jobs, ids, throttles, buckets } = tables;
  const own = prefix.split('.').at(-1)!;
  const index = (name: string, table: string, on: string, kind = 'INDEX') =>
    `CREATE ${kind} IF NOT EXISTS ${quote(`${own}_${name}`)} ON ${table} ${on};\n`;
  const busy = `lane <> '' AND (state = 2 OR pauses)`;
  return `SELECT pg_advisory_xact_lock(${hashNumber(`schema ${prefix}`)});
CREATE TABLE IF NOT EXISTS ${groups} (
  grp integer GENERATED ALWAYS AS IDENTITY UNIQUE,
  topic text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, paused boolean NOT NULL DEFAULT false,
  priorities integer NOT NULL DEFAULT 1, PRIMARY KEY (topic, name)
);
CREATE TABLE IF NOT EXISTS ${jobs} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  grp integer NOT NULL, id text COLLATE "C" NOT NULL, state smallint NOT NULL, priority smallint NOT NULL,
  pos xid8 NOT NULL, lane text COLLATE "C" NOT NULL, at timestamptz, expires timestamptz, since xid8, dedup text COLLATE "C",
  token integer NOT NULL DEFAULT 0, deliveries integer NOT NULL DEFAULT 0, failures integer NOT NULL DEFAULT 0,
  pauses boolean NOT NULL DEFAULT false, reason text, headers text NOT NULL, body bytea NOT NULL,
  progress bytea, result bytea
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE IF NOT EXISTS ${ids} (name uuid PRIMARY KEY, at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS ${throttles} (
  grp integer NOT NULL, dedup text COLLATE "C" NOT NULL, until timestamptz NOT NULL, PRIMARY KEY (grp, dedup)
);
CREATE TABLE IF NOT EXISTS ${buckets} (
  grp integer NOT NULL, lane text COLLATE "C" NOT NULL, fullat timestamptz NOT NULL, PRIMARY KEY (grp, lane)
);
ALTER TABLE ${groups} ADD COLUMN IF NOT EXISTS priorities integer NOT NULL DEFAULT 1023;
ALTER TABLE ${groups} ALTER COLUMN priorities SET DEFAULT 1;
ALTER TABLE ${jobs} ADD COLUMN IF NOT EXISTS since xid8;
UPDATE ${jobs} SET since = pg_current_xact_id() WHERE ${busy} AND since IS NULL;
DROP INDEX IF EXISTS ${quotedName(prefix, 'busy')};
${index('unique', jobs, uniqueId, 'UNIQUE INDEX')}\
${index('ready', jobs, '(grp, priority, pos, seq) WHERE state = 0')}\
${index('lanes', jobs, `(grp, lane, priority, seq) WHERE state = 0 AND lane <> ''`)}\
${index('taken', jobs, `(grp, lane, since) WHERE ${busy}`)}\
${index('hands', jobs, `(grp, since) WHERE lane <> '' AND (state + 0 = 2 OR pauses)`)}\
${index('due', jobs, '(grp, at) WHERE state = 1')}${index('leases', jobs, '(grp, at) WHERE state = 2')}\
${index('ended', jobs, '(grp, state, at, seq) WHERE state >= 3')}\
${index('expiring', jobs, '(grp, expires) WHERE expires IS NOT NULL AND state < 2')}\
${index('dedup', jobs, '(grp, dedup) WHERE dedup IS NOT NULL AND state < 3')}\
${index('ids_at', ids, '(at)')}${index('throttles_until', throttles, '(until)')}${index('buckets_fullat', buckets, '(fullat)')}`;
}

function tablesOf(prefix: string): Tables {
  const named = (suffix: string) => quotedName(prefix, suffix);
  return {
    prefix,
    groups: named('groups'),
    jobs: named('jobs'),
    ids: named('ids'),
    throttles: named('throttles'),
    buckets: named('buckets'),
    channel: `ashlar_queue_${createHash('sha256').update(prefix).digest('hex').slice(0, 16)}`,
  };
}

/** Of a table, or of an index, where its table is. */
function quotedName(prefix: string, suffix: string): string {
  return `${prefix}_${suffix}`.split('.').map(quote).join('.');
}
