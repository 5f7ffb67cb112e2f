import type { OutgoingMessage, PublishSettings } from '../driver.ts';
import { writerLock, writerLocks } from '../transactions/key-locks.ts';
import { hashNumber, type TableName } from '../transactions/tables/table-name.ts';
import type { ExpectedTable } from '../transactions/tables/table-shape.ts';
import type { SqlTransaction } from '../transactions/transaction.ts';
import type { WrittenRow } from './expected-rows.ts';

/**
 * Rows are spread over lanes: all rows of a key are in one. One relay at a time works on a lane, by a lock; so several
 * share the work, and each key has its order. Those in the quarantine are in the lane `-1 - lane`.
 */
export const laneCount = 64;

/** A row of the outbox, as its relay reads it. */
export interface OutboxRow {
  readonly id: string;
  /** Where it is in the table, as long as its lane is locked. */
  readonly place: string;
  readonly topic: string;
  readonly key: string | undefined;
  readonly failures: number;
  readonly settings: PublishSettings;
  readonly message: OutgoingMessage;
}

/** What a row keeps of a message beside its name, key and body. */
interface Rest {
  readonly headers: Readonly<Record<string, string>>;
  readonly delayMs?: number | undefined;
  readonly priority?: number | undefined;
  readonly expiresInMs?: number | undefined;
  readonly deduplication?: OutgoingMessage['deduplication'];
  readonly allowUnrouted?: boolean | undefined;
}

const columns = {
  ...{
    id: 'bigint',
    lane: 'smallint',
    topic: 'text',
    name: 'text',
    key: 'text',
    body: 'bytea',
    rest: 'text',
  },
  ...{ made: 'timestamp with time zone', failures: 'integer', due: 'timestamp with time zone' },
  ...{ reason: 'text', died: 'timestamp with time zone' },
};

/** Creates the table and its indexes where they are missing, one process at a time. */
export function creation({ sql, name, index }: TableName): string {
  return `SELECT pg_advisory_xact_lock(${hashNumber(`schema ${name}`)});
CREATE TABLE IF NOT EXISTS ${sql} (
  id bigint GENERATED ALWAYS AS IDENTITY,
  lane smallint NOT NULL,
  topic text COLLATE "C" NOT NULL,
  name text NOT NULL,
  key text,
  body bytea NOT NULL,
  rest text NOT NULL,
  made timestamptz NOT NULL DEFAULT clock_timestamp(),
  failures integer NOT NULL DEFAULT 0,
  due timestamptz,
  reason text,
  died timestamptz,
  PRIMARY KEY (lane, topic, id)
);
CREATE INDEX IF NOT EXISTS ${index('due')} ON ${sql} (lane, topic, key) WHERE due IS NOT NULL;
`;
}

/** What is there when `creation` has run. */
export function expectedTable({ name, sql }: TableName): ExpectedTable {
  return { name, sql, columns };
}

/**
 * Writes messages within the caller's transaction, in one statement: the transaction has its number and the keys are
 * locked, then the rows get their ids, in the order of the batch.
 */
export async function insert(
  tx: SqlTransaction,
  table: TableName,
  topic: string,
  batch: readonly OutgoingMessage[],
  settings: PublishSettings & { readonly prepare?: boolean },
): Promise<readonly WrittenRow[]> {
  const rows = batch.map((message, at) => ({ at, ...fieldsOf(topic, message, settings) }));
  const [first] = rows;
  // Planning the statement for many costs the server more than the insert
  if (first !== undefined && rows.length === 1) {
    const { lane, name, body, rest, key } = first;
    const values = [String(lane), topic, name, body, rest];
    const { text, statement } = singleInsertion(table, key !== undefined);
    const isPrepared = settings.prepare === true;
    await tx.query(text, key === undefined ? values : [...values, key], isPrepared ? statement : undefined);
  } else {
    await tx.query(insertion(table), [JSON.stringify(rows), topic]);
  }
  return rows;
}

function fieldsOf(topic: string, message: OutgoingMessage, { allowUnrouted }: PublishSettings) {
  const { id, key, body, headers, delayMs, priority, expiresInMs, deduplication } = message;
  const rest: Rest = { headers, delayMs, priority, expiresInMs, deduplication, allowUnrouted };
  const { buffer, byteOffset, byteLength } = body;
  return {
    lane: laneOf(topic, key),
    name: id,
    key,
    body: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    rest: JSON.stringify(rest),
  };
}

/** The text whose hash is the lock of a key. */
function keyName({ literal }: TableName, topic: string, key: string): string {
  return `${literal} || ' ' || ${topic} || ' ' || ${key}`;
}

interface Insertion {
  readonly text: string;
  /** The name that it is prepared under. */
  readonly statement: string;
}

const singleInsertions = new WeakMap<TableName, Record<'keyed' | 'plain', Insertion>>();

function singleInsertion(table: TableName, hasKey: boolean): Insertion {
  let made = singleInsertions.get(table);
  if (made === undefined) {
    const make = (isKeyed: boolean) => {
      const text = singleText(table, isKeyed);
      return { text, statement: `ashlar_outbox_${hashNumber(text)}` };
    };
    made = { keyed: make(true), plain: make(false) };
    singleInsertions.set(table, made);
  }
  return hasKey ? made.keyed : made.plain;
}

/** Evaluated once, before there is a row. */
const isNumbered = 'pg_current_xact_id() IS NOT NULL';

function singleText(table: TableName, hasKey: boolean): string {
  const [key, from] = hasKey
    ? ['$6::text', ` FROM ${writerLock(keyName(table, '$2::text', '$6::text'))} AS locked`]
    : ['NULL', ''];
  return `INSERT INTO ${table.sql} (lane, topic, name, body, rest, key)
    SELECT $1::text::smallint, $2::text, $3::text, decode($4::text, 'base64'), $5::text, ${key}${from} WHERE ${isNumbered}
    RETURNING 'x'::text AS written`;
}

function insertion(table: TableName): string {
  const names = `SELECT ${keyName(table, '$2::text', 'key')} AS name FROM given WHERE key IS NOT NULL`;
  return `WITH given AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::text::json)
      AS g (at integer, lane smallint, name text, key text, body text, rest text)
  ), locked AS MATERIALIZED (${writerLocks(names)}), written AS (
    INSERT INTO ${table.sql} (lane, topic, name, key, body, rest)
    SELECT lane, $2::text, name, key, decode(body, 'base64'), rest FROM given, locked WHERE ${isNumbered} ORDER BY at RETURNING 1
  ) SELECT count(*)::text AS written FROM written`;
}

/** Of a key always the same, in all versions: FNV-1a of its code units. */
function laneOf(topic: string, key: string | undefined): number {
  if (key === undefined) return Math.floor(Math.random() * laneCount);
  const text = `${topic}\0${key}`;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  // Its low bits follow those of the last letter
  return ((hash ^ (hash >>> 15)) >>> 0) % laneCount;
}

/** A row as the relay selects it. */
export interface RawRow {
  /** Where it is in the table. */
  readonly place: string;
  readonly id: string;
  readonly topic: string;
  readonly name: string;
  readonly key: string | null;
  /** In base64. */
  readonly body: string;
  readonly rest: string;
  readonly failures: string;
  /** Milliseconds since it was written. */
  readonly age: string;
}

/** Those whose time is over by themselves. */
export function readRows(raw: readonly RawRow[]): {
  readonly rows: readonly OutboxRow[];
  readonly over: readonly RawRow[];
} {
  const rows: OutboxRow[] = [];
  const over: RawRow[] = [];
  for (const each of raw) {
    const row = readRow(each);
    if (row === undefined) over.push(each);
    else rows.push(row);
  }
  return { rows, over };
}

/** @returns undefined for a message whose time is over */
function readRow(row: RawRow): OutboxRow | undefined {
  const { headers, delayMs, expiresInMs, allowUnrouted, ...rest } = JSON.parse(row.rest) as Rest;
  const age = Number(row.age);
  if (expiresInMs !== undefined && expiresInMs <= age) return undefined;
  const key = row.key ?? undefined;
  return {
    id: row.id,
    place: row.place,
    topic: row.topic,
    key,
    failures: Number(row.failures),
    settings: { allowUnrouted },
    message: {
      ...rest,
      id: row.name,
      key,
      headers,
      body: Buffer.from(row.body, 'base64'),
      delayMs: delayMs && Math.max(0, delayMs - age),
      expiresInMs: expiresInMs && expiresInMs - age,
    },
  };
}
