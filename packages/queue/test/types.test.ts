import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { Knex } from 'knex';
import type { Kysely, Transaction as KyselyTransaction } from 'kysely';
import type pg from 'pg';
import { expect, expectTypeOf, it } from 'vitest';
import type { bullmq } from '../src/adapters/bullmq.ts';
import type { NatsCapabilities, nats } from '../src/adapters/nats.ts';
import type { PoolLike, postgresDriver } from '../src/adapters/postgres.ts';
import type { rabbitmq } from '../src/adapters/rabbitmq.ts';
import type { redisStreams } from '../src/adapters/redis-streams.ts';
import type { zeromq } from '../src/adapters/zeromq.ts';
import {
  type Capabilities,
  type Delivery,
  type Driver,
  type MemoryCapabilities,
  memoryDriver,
  messages,
  type Published,
  type PublishOptions,
  Queue,
  type SubscribeOptions,
  type Transaction,
  type TransactionClient,
  type TransactionContext,
} from '../src/index.ts';
import type { outbox } from '../src/outbox.ts';
import { TestQueue } from '../src/testing.ts';

type Messages = { 'order.placed': { id: string } };

/** A driver as somebody else would write it, from the contract's words alone. */
class Mine implements Driver<Capabilities> {
  readonly capabilities = { delay: false, priority: false, fanout: false, durable: false, orderedKeys: true };
  async declare(): Promise<void> {}
  async publish(_topic: string, batch: readonly unknown[]): Promise<readonly Published[]> {
    return batch.map(() => ({ ok: true }));
  }
  async *consume(): AsyncIterable<Delivery> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** As the types of `pg` have it before 8.16. */
interface OlderClient extends Omit<pg.PoolClient, 'on'> {
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: 'notification', listener: (message: pg.Notification) => void): this;
  on(event: 'end', listener: () => void): this;
}

interface OlderPool extends Omit<pg.Pool, 'on' | 'connect'> {
  connect(): Promise<OlderClient>;
  on(event: 'release' | 'error', listener: (error: Error, client: OlderClient) => void): this;
  on(event: 'connect' | 'acquire' | 'remove', listener: (client: OlderClient) => void): this;
}

it('takes a driver that was written from the contract', async () => {
  const queue = new Queue(new Mine(), { messages: messages<Messages>() });
  expect(await queue.publish('order.placed', { id: '1' })).toEqual({ id: expect.any(String) });
  const handler = async (
    order: { id: string },
    { signal, idempotencyKey }: { signal: AbortSignal; idempotencyKey: string },
  ) => {
    expectTypeOf(order.id).toBeString();
    expect([signal, idempotencyKey]).toBeDefined();
  };
  const subscription = await queue.subscribe('order.placed', handler, { group: 'billing', attempts: 5 });
  await subscription.close();
  await queue.close();
});

it('infers what may be asked of a driver', () => {
  type Bull = { delay: true; priority: true; fanout: true; durable: true; orderedKeys: false };
  type Zmq = { delay: false; priority: false; fanout: true; durable: false; orderedKeys: false };
  type Options<K extends Capabilities> = NonNullable<Parameters<Queue<Messages, K>['publish']>[2]>;
  expectTypeOf<{ priority: 3; delayMs: 10 }>().toExtend<Options<Bull>>();
  expectTypeOf<Options<Zmq>>().not.toHaveProperty('priority');
  expectTypeOf<Options<Zmq>>().not.toHaveProperty('deduplication');
  expectTypeOf<Parameters<Queue<Messages, Bull>['publish']>[0]>().toEqualTypeOf<'order.placed'>();
});

it('offers the options that a driver can honor, and no others', () => {
  /** Those that not every driver has. */
  type Special =
    | ('delayMs' | 'priority' | 'expiresInMs' | 'deduplication' | 'tx')
    | ('ordered' | 'fair' | 'limits' | 'results' | 'crashes');
  type OptionsOf<D> =
    D extends Driver<infer K> ? Extract<keyof PublishOptions<K> | keyof SubscribeOptions<K>, Special> : never;
  type AllButTx = Exclude<Special, 'tx'>;
  expectTypeOf<OptionsOf<ReturnType<typeof memoryDriver>>>().toEqualTypeOf<AllButTx>();
  expectTypeOf<OptionsOf<ReturnType<typeof zeromq>>>().toEqualTypeOf<AllButTx>();
  expectTypeOf<OptionsOf<ReturnType<typeof bullmq>>>().toEqualTypeOf<AllButTx>();
  expectTypeOf<OptionsOf<ReturnType<typeof redisStreams>>>().toEqualTypeOf<Exclude<AllButTx, 'priority'>>();
  expectTypeOf<OptionsOf<ReturnType<typeof postgresDriver>>>().toEqualTypeOf<Special>();
  type Plain = 'delayMs' | 'expiresInMs' | 'crashes';
  expectTypeOf<OptionsOf<ReturnType<typeof nats>>>().toEqualTypeOf<Plain>();
  expectTypeOf<OptionsOf<ReturnType<typeof rabbitmq<'quorum'>>>>().toEqualTypeOf<Plain>();
  type Classic = ReturnType<typeof rabbitmq<'classic'>>;
  expectTypeOf<OptionsOf<Classic>>().toEqualTypeOf<'delayMs' | 'expiresInMs' | 'priority'>();
  type Prioritized = ReturnType<typeof rabbitmq<'quorum', true>>;
  expectTypeOf<OptionsOf<Prioritized>>().toEqualTypeOf<Plain | 'priority'>();
  type Outbox = ReturnType<typeof outbox<NatsCapabilities>>;
  expectTypeOf<OptionsOf<Outbox>>().toEqualTypeOf<Plain | 'tx'>();
});

it('is what code takes that publishes, over whichever driver', async () => {
  class Shop {
    readonly #queue: Queue<Messages>;

    constructor(queue: Queue<Messages>) {
      this.#queue = queue;
    }

    place(id: string) {
      return this.#queue.publish('order.placed', { id }, { key: 'tenant', allowUnrouted: true });
    }
  }
  const carrier = messages<Messages & { other: number }>();
  await using inMemory = new Queue(memoryDriver(), { messages: carrier });
  await using inTests = new TestQueue({ messages: carrier });
  expectTypeOf<Queue<Messages, MemoryCapabilities>>().toExtend<Queue<Messages>>();
  for (const queue of [inMemory, inTests]) {
    expect(await new Shop(queue).place('1')).toEqual({ id: expect.any(String) });
  }
  // What only some drivers can is refused, as the driver may not
  expectTypeOf<{ delayMs: 10 }>().not.toExtend<NonNullable<Parameters<Queue<Messages>['publish']>[2]>>();
});

it('takes a transaction with a driver that can, and no pool or database in its place', () => {
  type Plain = { delay: false; priority: false; fanout: true; durable: true; orderedKeys: false };
  type Options<K extends Capabilities> = NonNullable<Parameters<Queue<Messages, K>['publish']>[2]>;
  expectTypeOf<Options<Plain>>().not.toHaveProperty('tx');
  expectTypeOf<Options<Plain & { transactions: true }>>().toHaveProperty('tx');
  type DrizzleTx = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];
  type All = pg.PoolClient | pg.Client | DrizzleTx | KyselyTransaction<object> | Knex.Transaction;
  expectTypeOf<All>().toExtend<Transaction>();
  expectTypeOf<TransactionClient>().toExtend<Transaction>();
  expectTypeOf<pg.Pool>().not.toExtend<Transaction>();
  expectTypeOf<pg.Pool | OlderPool>().toExtend<PoolLike>();
  expectTypeOf<NodePgDatabase>().not.toExtend<Transaction>();
  expectTypeOf<Kysely<object>>().not.toExtend<Transaction>();
  expectTypeOf<Knex>().not.toExtend<Transaction>();
});

it('gives a handler the transaction that it asks for', () => {
  type Subscribe = (queue: Queue<Messages, Capabilities>, db: NodePgDatabase, pool: pg.Pool) => unknown;
  const withPool: Subscribe = (queue, _, pool) =>
    queue.subscribe(
      'order.placed',
      async ({ id }, { tx }) => expectTypeOf(await tx.query('SELECT $1', [id])).toHaveProperty('rowCount'),
      { idempotency: { mode: 'transaction', pool }, attempts: 3 },
    );
  type DrizzleTx = Parameters<Parameters<NodePgDatabase['transaction']>[0]>[0];
  const withDrizzle: Subscribe = (queue, db) =>
    queue.subscribe('order.placed', (_, { tx }: TransactionContext<DrizzleTx>) => tx.execute('SELECT 1'), {
      idempotency: { mode: 'transaction', begin: run => db.transaction(run) },
    });
  expect([withPool, withDrizzle]).toHaveLength(2);
});
