import type { Clock } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { asked } from '../transactions/failures.ts';
import { type PoolLike, transact } from '../transactions/pool.ts';
import type { TableName } from '../transactions/tables/table-name.ts';
import { lag, longest } from './statements.ts';

/** What waits in the outbox. */
export interface OutboxLag {
  /** Rows that are not relayed yet, up to 100 000. */
  readonly waiting: number;
  /** Milliseconds since the oldest of them was written; undefined when there is none. */
  readonly oldestMs: number | undefined;
  /** Milliseconds since the oldest transaction began that holds up the outbox; undefined when there is none. */
  readonly longestTransactionMs: number | undefined;
}

interface Parts {
  readonly pool: PoolLike;
  readonly table: TableName;
  readonly kind: string;
  readonly timeoutMs: number;
  readonly everyMs: number;
  readonly longMs: number;
  readonly clock: Clock;
  ready(): Promise<void>;
  /** An id that no row is below. */
  lowestId(): bigint;
}

/** Measures now and then how far behind the outbox is, and warns of the transaction that holds it up. */
export class Monitor {
  /** As last measured. */
  last: OutboxLag | undefined;
  readonly #parts: Parts;
  readonly #stop = new AbortController();
  #ended: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  start(): void {
    this.#ended ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async measure(): Promise<OutboxLag> {
    const { pool, table, timeoutMs, ready, lowestId } = this.#parts;
    await ready();
    const { rows, transactions } = await asked(
      'lag',
      'NotExecuted',
      transact(pool, { timeoutMs }, async session => ({
        rows: await session.query<{ waiting: string; oldest: string | null }>(lag(table), [
          String(lowestId()),
        ]),
        transactions: await session.query<{ pid: string; age: string; writes: string }>(longest(table)),
      })),
    );
    const [found] = rows;
    const [oldest] = transactions;
    this.last = {
      waiting: Number(found?.waiting),
      oldestMs: found?.oldest == null ? undefined : Number(found.oldest),
      longestTransactionMs: oldest && Number(oldest.age),
    };
    if (oldest !== undefined && Number(oldest.age) > this.#parts.longMs) this.#warn(oldest);
    return this.last;
  }

  async #run(): Promise<void> {
    const { clock, everyMs } = this.#parts;
    while (!this.#stop.signal.aborted) {
      await this.measure().catch(() => {}); // The relay reports that the database is away
      await clock.sleep(everyMs, this.#stop.signal).catch(() => {});
    }
  }

  #warn({ pid, age, writes }: { readonly pid: string; readonly age: string; readonly writes: string }): void {
    if (!channels.warning.hasSubscribers) return;
    const since = `a transaction (pid ${pid}) has been open for ${Math.round(Number(age) / 1_000)} s`;
    const harm =
      writes === 'true'
        ? 'its messages are not published, and other writers of their keys wait for it'
        : 'rows that were relayed cannot be vacuumed meanwhile, so that the outbox grows and slows down';
    channels.warning.publish({ driver: this.#parts.kind, warning: `${since}: ${harm}` });
  }
}
