import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type { GroupStats } from '../driver.ts';
import { inChunks } from '../transactions/chunks.ts';
import { asked } from '../transactions/failures.ts';
import { type PoolLike, transact } from '../transactions/pool.ts';
import type { TableName } from '../transactions/tables/table-name.ts';
import { timeText } from '../transactions/time-text.ts';

interface Parts {
  readonly pool: PoolLike;
  readonly table: TableName;
  /** The name of the group that they are shown as. */
  readonly group: string;
  readonly timeoutMs: number;
}

interface Raw {
  readonly name: string;
  readonly key: string | null;
  readonly body: string;
  readonly rest: string;
  readonly reason: string | null;
  readonly failures: string;
  readonly died: string;
}

/** Rows that the driver refused again and again, as dead letters. */
export class Quarantine {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async inspect(topic: string, { limit, after = '' }: DeadLetterPage): Promise<readonly DeadLetter[]> {
    const { sql } = this.#parts.table;
    const rows = await this.#ask<Raw>(
      `SELECT name, key, encode(body, 'base64') AS body, rest, reason, failures::text,
        round(extract(epoch FROM died) * 1000)::text AS died
      FROM ${sql} WHERE lane < 0 AND topic = $1::text AND ($2::text = '' OR id > (
        SELECT max(id) FROM ${sql} WHERE lane < 0 AND topic = $1::text AND name = $2::text))
      ORDER BY id LIMIT $3::text::bigint`,
      [topic, after, String(limit)],
    );
    return rows.map(({ name, key, body, rest, reason, failures, died }) => ({
      id: name,
      topic,
      group: this.#parts.group,
      body: Buffer.from(body, 'base64'),
      headers: (JSON.parse(rest) as { headers: Record<string, string> }).headers,
      key: key ?? undefined,
      reason: reason ?? 'unknown',
      deliveries: Number(failures),
      failures: Number(failures),
      diedAtMs: Number(died),
    }));
  }

  /** Back into the outbox, behind what is there, with a new budget. */
  redrive(topic: string, selection: DeadLetterSelection): Promise<number> {
    const { sql } = this.#parts.table;
    // With new ids: relays do not look again at those that they have passed
    const change = (
      chosen: string,
    ) => `gone AS (DELETE FROM ${sql} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${chosen})) RETURNING *),
      changed AS (INSERT INTO ${sql} (lane, topic, name, key, body, rest, made)
        SELECT -1 - lane, topic, name, key, body, rest, made FROM gone ORDER BY id RETURNING 1)`;
    return this.#change(change, topic, selection);
  }

  purge(topic: string, selection: DeadLetterSelection): Promise<number> {
    const { sql } = this.#parts.table;
    const change = (chosen: string) =>
      `changed AS (DELETE FROM ${sql} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${chosen})) RETURNING 1)`;
    return this.#change(change, topic, selection);
  }

  async stats(topic: string): Promise<GroupStats> {
    const isDue = 'due IS NULL OR due <= clock_timestamp()';
    const [counts] = await this.#ask<Record<'waiting' | 'delayed' | 'dead', string>>(
      `SELECT count(*) FILTER (WHERE lane >= 0 AND (${isDue}))::text AS waiting,
        count(*) FILTER (WHERE lane >= 0 AND NOT (${isDue}))::text AS delayed,
        count(*) FILTER (WHERE lane < 0)::text AS dead
      FROM ${this.#parts.table.sql} WHERE topic = $1::text`,
      [topic],
    );
    const { waiting, delayed, dead } = counts!;
    return { waiting: Number(waiting), delayed: Number(delayed), active: 0, dead: Number(dead) };
  }

  #change(
    change: (chosen: string) => string,
    topic: string,
    { ids, limit }: DeadLetterSelection,
  ): Promise<number> {
    const chosen = ids === undefined ? '' : JSON.stringify(ids);
    return inChunks(`sending or deleting of ${topic}`, limit, async (rows, began = '') => {
      const [changed] = await this.#ask<{ count: string; began: string }>(
        `WITH chosen AS (
          SELECT ctid FROM ${this.#parts.table.sql} WHERE lane < 0 AND topic = $1::text AND (
            $2::text = '' OR name IN (SELECT json_array_elements_text(nullif($2::text, '')::json)))
          AND died <= coalesce(nullif($4::text, '')::timestamptz, statement_timestamp())
          ORDER BY id LIMIT $3::text::bigint FOR UPDATE
        ), ${change('chosen')}
        SELECT count(*)::text AS count, coalesce(nullif($4::text, ''), ${timeText('statement_timestamp()')}) AS began FROM changed`,
        [topic, chosen, String(rows), began],
      );
      return { count: Number(changed!.count), began: changed!.began };
    });
  }

  #ask<R>(text: string, values: readonly string[]): Promise<readonly R[]> {
    const { pool, timeoutMs } = this.#parts;
    const rows = transact(pool, { timeoutMs }, session => session.query<R>(text, values));
    return asked('a look at what was put aside', 'Unknown', rows);
  }
}
