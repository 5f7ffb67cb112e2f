import type { ReplicaSet } from '@ashlar/replica-failover';
import { type PostgresServers, startPostgresServers } from '@ashlar-examples/failover';
import type pg from 'pg';
import { type Fate, Order } from './order.ts';

const tables = ['CREATE TABLE orders (number int PRIMARY KEY, product text NOT NULL)'];

/** Every so many visitors of a product's page order it. */
const visitsPerOrder = 20;
/** The share of the requests after which the primary is killed. */
const killAt = 0.25;

/** What the desk has to say on the way. */
export type OrderEvent =
  | { readonly type: 'killed'; readonly server: string; readonly atMs: number }
  | {
      readonly type: 'promoted';
      readonly server: string;
      readonly atMs: number;
      readonly waited: readonly Order[];
    }
  | { readonly type: 'order'; readonly order: Order; readonly atMs: number };

/** What has become of the orders of a replay. */
export interface OrdersReport {
  readonly taken: number;
  /** Taken orders that the primary does not have at the end. */
  readonly lost: number;
  readonly fates: Readonly<Record<Fate, number>>;
  /** Of those whose outcome stayed unknown, how many are there: their customers are told so now. */
  readonly unknownButThere: number;
  /** The longest time that an order took, in milliseconds. */
  readonly longestMs: number;
}

/** Takes orders into PostgreSQL, a primary with two standbys, whose primary is killed on the way. */
export class OrderDesk implements AsyncDisposable {
  readonly #servers: PostgresServers;
  readonly #set: ReplicaSet<pg.Client>;
  /** Another process of the shop would lead too: one alone does not take a silent primary for dead. */
  readonly #second: ReplicaSet<pg.Client>;
  readonly #requests: number;
  readonly #tell: (event: OrderEvent) => void;
  readonly #orders: Order[] = [];
  readonly #taking = new Set<Promise<void>>();
  #killing: Promise<void> | undefined;
  #startMs: number = performance.now();

  private constructor(
    servers: PostgresServers,
    sets: readonly [ReplicaSet<pg.Client>, ReplicaSet<pg.Client>],
    requests: number,
    tell: (event: OrderEvent) => void,
  ) {
    this.#servers = servers;
    [this.#set, this.#second] = sets;
    this.#requests = requests;
    this.#tell = tell;
  }

  /** @throws ServersError when there is no PostgreSQL on this machine */
  static async open(requests: number, tell: (event: OrderEvent) => void): Promise<OrderDesk> {
    const servers = await startPostgresServers(tables);
    try {
      return new OrderDesk(servers, [await servers.connect(), await servers.connect()], requests, tell);
    } catch (error) {
      await servers[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A visitor of request `index` has seen the page of a product, and may order it. Nobody waits for that here. */
  visited(index: number, product: string): void {
    if (index === 0) this.#startMs = performance.now();
    if (index >= this.#requests * killAt && this.#killing === undefined) {
      this.#killing = this.#killPrimary();
      this.#killing.catch(() => {}); // finished() rejects with it
    }
    if (index % visitsPerOrder !== 0) return;
    const order = new Order(this.#orders.length + 1, product, this.#term);
    this.#orders.push(order);
    const taking: Promise<void> = this.#take(order).finally(() => this.#taking.delete(taking));
    this.#taking.add(taking);
  }

  /** What has become of all orders, once none is under way. */
  async finished(): Promise<OrdersReport> {
    await this.#killing;
    await Promise.all(this.#taking);
    const { rows } = await this.#set.read(db => db.query<{ number: number }>('SELECT number FROM orders'));
    const there = new Set(rows.map(({ number }) => number));
    const fates: Record<Fate, number> = { taken: 0, waited: 0, found: 0, again: 0, unknown: 0, refused: 0 };
    for (const { fate } of this.#orders) fates[fate]++;
    const taken = this.#orders.filter(({ isTaken }) => isTaken);
    const unknown = this.#orders.filter(({ fate }) => fate === 'unknown');
    return {
      taken: taken.length,
      lost: taken.filter(({ number }) => !there.has(number)).length,
      fates,
      unknownButThere: unknown.filter(({ number }) => there.has(number)).length,
      longestMs: Math.max(0, ...this.#orders.map(({ tookMs }) => tookMs)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#set.close(), this.#second.close()]);
    await this.#servers[Symbol.asyncDispose]();
  }

  async #take(order: Order): Promise<void> {
    const { number, product } = order;
    // #region order
    try {
      await this.#set.transaction(async db => {
        order.begins();
        await db.query('INSERT INTO orders VALUES ($1, $2)', [number, product]);
        order.isWritten(this.#term);
      });
      order.ends(this.#term);
    } catch (error) {
      order.fails(error);
    }
    // #endregion
    if (order.fate !== 'taken' && order.fate !== 'waited')
      this.#tell({ type: 'order', order, atMs: this.#nowMs });
  }

  async #killPrimary(): Promise<void> {
    const { primary } = this.#set.snapshot();
    const killed = this.#servers.server(primary!).kill();
    this.#tell({ type: 'killed', server: primary!, atMs: this.#nowMs });
    await killed;
    // Waits for the next primary, as orders do, and is more patient
    await this.#set.transaction(async () => {}, { timeoutMs: 60_000 });
    const atMs = this.#nowMs;
    await Promise.all(this.#taking);
    const waited = this.#orders.filter(({ fate }) => fate === 'waited');
    this.#tell({ type: 'promoted', server: this.#set.snapshot().primary!, atMs, waited });
  }

  get #term(): number {
    return this.#set.snapshot().term ?? 0;
  }

  get #nowMs(): number {
    return performance.now() - this.#startMs;
  }
}
