import type { Capabilities, Driver, Queue } from '@ashlar/queue';
import { type OutboxDriver, outbox } from '@ashlar/queue/outbox';
import pg from 'pg';
import type { Messages, Order } from '../messages.ts';
import type { Orders } from './shop.ts';

type Transactional = Capabilities & { readonly transactions: true };

/** Orders in a table of PostgreSQL: each is committed together with its event, or neither is. */
export class PostgresOutbox implements Orders, AsyncDisposable {
  readonly driver: OutboxDriver<Capabilities>;
  readonly orders: Map<string, Order> = new Map();
  readonly #pool: pg.Pool;
  readonly #tables: { readonly orders: string; readonly outbox: string };
  #queue: Queue<Messages, Transactional> | undefined;

  constructor(url: string, driver: Driver<Capabilities>, run: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 8, connectionTimeoutMillis: 2_000 });
    this.#pool.on('error', () => {}); // The calls reject with it
    this.#tables = { orders: `orders_${run}`, outbox: `outbox_${run}` };
    this.driver = outbox(driver, { pool: this.#pool, table: this.#tables.outbox });
  }

  async open(queue: Queue<Messages, Transactional>): Promise<void> {
    this.#queue = queue;
    await this.#pool.query(
      `CREATE TABLE ${this.#tables.orders} (id text PRIMARY KEY, customer text NOT NULL, cents int NOT NULL)`,
    );
  }

  // #region take
  async take(order: Order): Promise<void> {
    const { id, customer, cents } = order;
    const tx = await this.#pool.connect();
    try {
      await tx.query('BEGIN');
      await tx.query(`INSERT INTO ${this.#tables.orders} VALUES ($1, $2, $3)`, [id, customer, cents]);
      await this.#queue!.publish('order.placed', order, { id, key: customer, tx });
      await tx.query('COMMIT');
      this.orders.set(id, order);
    } catch (error) {
      await tx.query('ROLLBACK').catch(() => {});
      throw error;
    } finally {
      tx.release();
    }
  }
  // #endregion

  /** After its queue is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { orders, outbox } = this.#tables;
    await this.#pool.query(`DROP TABLE IF EXISTS ${orders}, ${outbox}`).catch(() => {});
    await this.#pool.end();
  }
}
