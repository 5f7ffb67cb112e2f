import { lockNumber } from '../transactions/key-locks.ts';
import { hashNumber, type TableName } from '../transactions/tables/table-name.ts';
import type { ExpectedTable } from '../transactions/tables/table-shape.ts';
import { timeText } from '../transactions/time-text.ts';

/** The most records that are deleted at once. */
export const sweepSize = 1_000;

/** Statements that make the table of records where it is missing, one process at a time. */
export function creation({ name, sql, index }: TableName): readonly string[] {
  return [
    `SELECT pg_advisory_xact_lock(${hashNumber(`schema ${name}`)})::text AS locked`,
    `CREATE TABLE IF NOT EXISTS ${sql} (
      name text PRIMARY KEY,
      fingerprint text NOT NULL,
      result text,
      handled timestamptz NOT NULL DEFAULT clock_timestamp()
    )`,
    `CREATE INDEX IF NOT EXISTS ${index('handled')} ON ${sql} (handled)`,
  ];
}

/** What is there when `creation` has run. */
export function expectedTable({ name, sql }: TableName): ExpectedTable {
  const columns = { name: 'text', fingerprint: 'text', result: 'text', handled: 'timestamp with time zone' };
  return { name, sql, columns };
}

/** What `claim` returns. */
export interface Claimed {
  /** `true` when no other transaction handles the message now. */
  readonly held: string;
  /** `1` when there was no record, and there is one now if the transaction commits. */
  readonly written: string;
  /** Of the record that there was. */
  readonly fingerprint: string | null;
  readonly result: string | null;
}

/**
 * Writes the record, before the handler is called. Two transactions of one message never run at once: the second finds
 * the lock taken, or the record. Parameters: the name, the fingerprint.
 */
export const claim = ({ sql, literal }: TableName): string => `WITH locked AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(${lockNumber('handler', `${literal} || ' ' || $1::text`)}) AS held
  ), written AS (
    INSERT INTO ${sql} (name, fingerprint) SELECT $1::text, $2::text FROM locked WHERE held
    ON CONFLICT (name) DO NOTHING RETURNING 1
  ) SELECT held::text, (SELECT count(*) FROM written)::text AS written, found.fingerprint, found.result
  FROM locked LEFT JOIN ${sql} AS found ON found.name = $1::text`;

/** The record of a message whose handler returned something that is kept. Parameters: the name, the result as JSON. */
export const finish = ({ sql }: TableName): string =>
  `UPDATE ${sql} SET result = nullif($2::text, '') WHERE name = $1::text RETURNING name`;

/** What `sweep` returns. */
export interface Swept {
  readonly deleted: string;
  /** When the last of them was handled; null of none. */
  readonly until: string | null;
}

/**
 * Deletes some records that are older than a number of milliseconds, the oldest first. Of those before a time, which it
 * does not look at, are deleted ones that no vacuum can take away while an old snapshot is held. Parameters: the
 * milliseconds, the time.
 */
export const sweep = ({ sql }: TableName): string => `WITH old AS (
    SELECT name FROM ${sql} WHERE handled < clock_timestamp() - $1::text::float8 * interval '1 millisecond'
      AND handled >= $2::text::timestamptz ORDER BY handled LIMIT ${sweepSize} FOR UPDATE SKIP LOCKED
  ), gone AS (DELETE FROM ${sql} WHERE name = ANY (ARRAY(SELECT name FROM old)) RETURNING handled)
  SELECT count(*)::text AS deleted, ${timeText('max(handled)')} AS until FROM gone`;
