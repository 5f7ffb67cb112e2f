import { InvalidOptionError } from '@ashlar/core';
import { type Deduplication, type OutgoingMessage, type Published, refusal } from '../../driver.ts';
import { QueueTimeoutError, TransactionEndedError, UnroutedError } from '../../errors.ts';
import { type LockPurpose, lockNumber } from '../../transactions/key-locks.ts';
import { literal } from '../../transactions/tables/table-name.ts';
import { columnCount, columnRows, columnsOf, laneOf } from './columns.ts';
import type { Queryable } from './sessions.ts';
import { idName, type Tables, uniqueId } from './tables.ts';

/** What one statement publishes. */
const batchMessages = 500;
const batchBytes = 2 ** 20;

/** Whether `Publishing` publishes it with one statement, which waits for no lock of a key. */
export function isSingle(batch: readonly OutgoingMessage[]): boolean {
  if (batch.length > batchMessages) return false;
  let bytes = 0;
  for (const { key, deduplication, body } of batch) {
    if (key !== undefined || deduplication !== undefined || bytes >= batchBytes) return false;
    bytes += body.byteLength;
  }
  return true;
}

const ok: Published = { ok: true };
const duplicate: Published = { ok: true, isDuplicate: true };

/**
 * Publishes within a transaction: its parameters are texts only, so that any client of PostgreSQL can run it. Writers of
 * one key take its lock before their rows get their numbers, and keep it until they commit: the numbers of a key grow in
 * the order of the commits.
 */
export class Publishing {
  readonly #plain: string;
  readonly #modes: Readonly<Record<Deduplication['mode'], string>>;
  readonly #locks: Readonly<Record<'deduplication' | 'writer', string>>;
  readonly #windowMs: number;

  constructor(tables: Tables, windowMs: number) {
    this.#windowMs = windowMs;
    this.#plain = statement(tables);
    this.#modes = {
      simple: statement(tables, 'simple'),
      throttle: statement(tables, 'throttle'),
      debounce: statement(tables, 'debounce'),
    };
    const locks = (purpose: LockPurpose) => `SELECT count(pg_advisory_xact_lock(n))::text AS held,
      current_setting('transaction_isolation') AS isolation FROM (
      SELECT DISTINCT ${lockNumber(purpose, own(tables, 'name'))} AS n FROM json_array_elements_text($1::text::json) AS name
      ORDER BY 1 OFFSET 0) AS numbers`;
    this.#locks = { deduplication: locks('deduplication'), writer: locks('writer') };
  }

  async publish(
    queryable: Queryable,
    topic: string,
    batch: readonly OutgoingMessage[],
    allowUnrouted: boolean,
  ): Promise<readonly Published[]> {
    const keys = batch.flatMap(({ deduplication }) =>
      deduplication ? [`${topic}\n${deduplication.key}`] : [],
    );
    if (keys.length > 0) {
      const { rows } = await queryable.query(this.#locks.deduplication, [JSON.stringify(keys)]);
      checkIsolation(rows[0]!['isolation']);
    }
    const runs = [...runsOf(batch)];
    // Each statement locks the keys of its own: of several, all are locked before, or two batches wait for each other
    const lanes = runs.length === 1 ? [] : batch.flatMap(({ key }) => (key === undefined ? [] : laneOf(key)));
    if (lanes.length > 0) {
      const names = [...new Set(lanes)].map(lane => `${topic}\n${lane}`);
      await queryable.query(this.#locks.writer, [JSON.stringify(names)]);
    }
    const published: Published[] = [];
    for (const run of runs) {
      try {
        published.push(...(await this.#publishRun(queryable, topic, run, allowUnrouted)));
      } catch (error) {
        if (!isOfWait(error)) throw error;
        // What was written before stays in the transaction, or has been committed with it
        const refused = { ok: false, outcome: 'NotExecuted', error } as const;
        return [...published, ...batch.slice(published.length).map(() => refused)];
      }
    }
    return published;
  }

  async #publishRun(
    queryable: Queryable,
    topic: string,
    run: readonly OutgoingMessage[],
    allowUnrouted: boolean,
  ): Promise<readonly Published[]> {
    const ids = new Set(run.map(({ id }) => id));
    // Of those with the same id, the first is the message
    const firsts = ids.size === run.length ? run : run.filter(({ id }) => ids.delete(id));
    const { deduplication } = run[0]!;
    const text = deduplication === undefined ? this.#plain : this.#modes[deduplication.mode];
    const more =
      deduplication === undefined
        ? []
        : deduplication.mode === 'simple'
          ? [deduplication.key]
          : [deduplication.key, String(deduplication.ttlMs)];
    const values = [topic, ...columnsOf(topic, firsts), String(this.#windowMs), ...more];
    const { rows } = await queryable.query(text, values);
    const { groups, kept } = rows[0] as { groups: string; kept: string | null };
    if (groups === '0') {
      const error = new UnroutedError(topic);
      return run.map(() => (allowUnrouted ? ok : refusal(error)));
    }
    if (kept === null && firsts === run) return run.map(() => ok);
    const fresh = kept === null ? undefined : new Set(JSON.parse(kept) as string[]);
    let at = 0;
    return run.map(message => {
      if (message !== firsts[at]) return duplicate;
      at++;
      return fresh === undefined || fresh.has(message.id) ? ok : duplicate;
    });
  }
}

/** Whether a transaction of somebody else was not asked at all, and has not failed with it. */
function isOfWait(error: unknown): error is Error {
  return error instanceof TransactionEndedError || error instanceof QueueTimeoutError;
}

/** @throws InvalidOptionError for a transaction that does not see what others commit while it waits for their locks */
function checkIsolation(isolation: string): void {
  if (/^read /.test(isolation)) return;
  const text = `with \`deduplication\`, \`tx\` is to be READ COMMITTED, and is ${isolation.toUpperCase()}: it does not see what others have published meanwhile`;
  throw new InvalidOptionError('tx', text);
}

/** A batch in parts that a statement takes: each with deduplication alone, the others together. */
function* runsOf(batch: readonly OutgoingMessage[]): Generator<readonly OutgoingMessage[]> {
  let run: OutgoingMessage[] = [];
  let bytes = 0;
  for (const message of batch) {
    const isAlone = message.deduplication !== undefined;
    if (run.length > 0 && (isAlone || run.length >= batchMessages || bytes >= batchBytes)) {
      yield run;
      run = [];
      bytes = 0;
    }
    if (isAlone) {
      yield [message];
      continue;
    }
    run.push(message);
    bytes += message.body.byteLength;
  }
  if (run.length > 0) yield run;
}

/** The name of a lock among those of these tables. */
function own({ prefix }: Tables, name: string): string {
  return `${literal(`${prefix} `)} || (${name})`;
}

/**
 * Parameters: topic, the columns of the messages, window of ids in ms; and with a mode the key and its time in ms. `kept` is
 * null when all were kept.
 */
function statement(tables: Tables, mode?: Deduplication['mode']): string {
  const { groups, jobs, ids, throttles } = tables;
  const [window, key, timeMs] = [2, 3, 4].map(at => `$${columnCount + at}::text`);
  const isHeld = `EXISTS (SELECT FROM ${jobs} j WHERE j.grp = g.grp AND j.dedup = ${key} AND j.state < 3
    AND (j.state = 2 OR j.expires IS NULL OR j.expires > statement_timestamp()))`;
  const isThrottled = `EXISTS (SELECT FROM ${throttles} t WHERE t.grp = g.grp AND t.dedup = ${key}
    AND t.until > statement_timestamp())`;
  const admits = mode === 'simple' ? `NOT ${isHeld}` : mode === 'throttle' ? `NOT ${isThrottled}` : 'true';
  const delay = mode === 'debounce' ? `${timeMs}::float8` : 'i.delay';
  const at = `CASE WHEN ${delay} > 0 THEN clock_timestamp() + ${delay} * interval '1 millisecond' END`;
  const more = {
    simple: '',
    throttle: `, throttled AS (INSERT INTO ${throttles} AS t (grp, dedup, until)
      SELECT grp, ${key}, statement_timestamp() + ${timeMs}::float8 * interval '1 millisecond' FROM added
      ON CONFLICT (grp, dedup) DO UPDATE SET until = excluded.until)`,
    debounce: `, replaced AS (DELETE FROM ${jobs} j USING to_groups g, fresh
      WHERE j.grp = g.grp AND j.dedup = ${key} AND j.state < 2 AND ${timeMs} IS NOT NULL)`,
  };
  return `WITH input AS MATERIALIZED (
      SELECT c.*, ${idName('$1::text', 'c.id')} AS name FROM (${columnRows(2)}) AS c),
    held AS (SELECT count(pg_advisory_xact_lock(n)) AS held FROM (
      SELECT DISTINCT ${lockNumber('writer', own(tables, '$1::text || chr(10) || lane'))} AS n FROM input WHERE lane <> ''
      ORDER BY 1 OFFSET 0) AS numbers),
    all_groups AS (SELECT g.grp FROM ${groups} g WHERE g.topic = $1::text),
    to_groups AS (SELECT g.grp FROM all_groups g WHERE ${admits}),
    fresh AS (INSERT INTO ${ids} AS t (name, at)
      SELECT i.name, statement_timestamp() FROM held, input i
      WHERE held.held >= 0 AND EXISTS (SELECT FROM all_groups) ORDER BY i.name
      ON CONFLICT (name) DO UPDATE SET at = excluded.at
        WHERE t.at <= statement_timestamp() - ${window}::float8 * interval '1 millisecond'
      RETURNING name),
    used AS (UPDATE ${groups} g SET priorities = g.priorities | m.mask FROM (SELECT bit_or(1 << priority) AS mask FROM input) m
      WHERE g.topic = $1::text AND g.priorities & m.mask <> m.mask),
    added AS (INSERT INTO ${jobs} (grp, id, state, priority, pos, lane, at, expires, dedup, headers, body)
      SELECT g.grp, i.id, CASE WHEN ${delay} > 0 THEN 1 ELSE 0 END, i.priority, pg_current_xact_id(), i.lane, ${at},
        clock_timestamp() + i.expiry * interval '1 millisecond', ${mode === undefined ? 'NULL' : key}, i.headers, i.body
      FROM input i JOIN fresh USING (name) CROSS JOIN to_groups g ORDER BY i.n
      ON CONFLICT ${uniqueId} DO NOTHING RETURNING grp, id)${mode === undefined ? '' : more[mode]}
    SELECT (SELECT count(*) FROM all_groups)::text AS groups,
      (SELECT coalesce(json_agg(DISTINCT id), '[]') FROM added HAVING count(DISTINCT id) < (SELECT count(*) FROM input))::text
        AS kept, ${synchronized} AS synchronized`;
}

/** Of the transaction that evaluates it, and read when that commits. */
export const synchronized = `CASE WHEN current_setting('synchronous_commit') = 'off'
  THEN set_config('synchronous_commit', 'on', true) END`;
