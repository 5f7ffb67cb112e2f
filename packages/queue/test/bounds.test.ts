import { randomUUID } from 'node:crypto';
import {
  type NatsServer,
  type Postgres,
  type RabbitServer,
  type Redis as RedisServer,
  startNats,
  startPostgres,
  startRabbit,
  startRedis,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Queue as BullQueue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { bullmq } from '../src/adapters/bullmq.ts';
import { nats } from '../src/adapters/nats.ts';
import { rabbitmq } from '../src/adapters/rabbitmq.ts';
import { redisStreams } from '../src/adapters/redis-streams.ts';
import { startBroker, zeromq } from '../src/adapters/zeromq.ts';
import { type Delivery, type Driver, memoryDriver, QueueFullError } from '../src/index.ts';
import { QueueTables } from './postgres/queue-tables.ts';

/** What a group keeps at most. */
interface Bounds {
  readonly maxDead?: number;
  readonly maxResults?: number;
  readonly maxMessages?: number;
}
type Open = (bounds: Bounds) => Promise<Driver> | Driver;

const soon = { timeout: 30_000 };
const [topic, group] = ['work', 'default'];
const ids = Array.from({ length: 8 }, (_, index) => `${index}`);
const message = (id: string) => ({ id, body: Buffer.from('{}'), headers: {} });

async function ready(open: Open, bounds: Bounds): Promise<Driver> {
  const driver = await open(bounds);
  onTestFinished(() => driver[Symbol.asyncDispose]());
  await driver.declare(topic, group);
  return driver;
}

/** Settles one after the other, and consumes until the test is over. */
function consume(driver: Driver, settle: (delivery: Delivery) => Promise<void>): void {
  const stop = new AbortController();
  const consuming = (async () => {
    for await (const delivery of driver.consume(topic, group, { prefetch: 1, signal: stop.signal })) {
      await settle(delivery);
    }
  })();
  onTestFinished(() => {
    stop.abort();
    return consuming;
  });
}

/** A driver whose groups share what is kept of a topic. */
function isFilledByOne(open: Open): void {
  it('refuses messages for all groups while one of them does not consume', async () => {
    const driver = await ready(open, { maxMessages: 2 });
    await driver.declare(topic, 'idle');
    let handled = 0;
    consume(driver, async delivery => {
      await delivery.ack();
      handled++;
    });
    const publish = async (id: string) => (await driver.publish(topic, [message(id)]))[0]!;
    for (const id of ['1', '2']) expect(await publish(id)).toMatchObject({ ok: true });
    await expect.poll(() => handled, soon).toBe(2);
    expect(await publish('3')).toMatchObject({ ok: false, error: expect.any(QueueFullError) });
    const stop = new AbortController();
    for await (const delivery of driver.consume(topic, 'idle', { prefetch: 1, signal: stop.signal })) {
      await delivery.ack();
      if (delivery.id === '2') stop.abort();
    }
    await expect.poll(async () => (await publish('4')).ok, soon).toBe(true);
  });
}

/** A driver that keeps dead letters. */
function keepsDead(open: Open): void {
  it('keeps so many dead letters; the oldest go', async () => {
    const driver = await ready(open, { maxDead: 3 });
    consume(driver, delivery => delivery.nack({ dead: 'for the test' }));
    await driver.publish(topic, ids.map(message));
    const dead = async () => (await driver.inspect!(topic, group, { limit: 100 })).map(({ id }) => id);
    await expect.poll(dead, soon).toEqual(ids.slice(-3));
  });
}

function keepsResults(open: Open): void {
  it('keeps so many results; the oldest go', async () => {
    const driver = await ready(open, { maxResults: 3 });
    consume(driver, delivery => delivery.ack({ result: delivery.body }));
    await driver.publish(topic, ids.map(message));
    const kept = async () => {
      const found = await Promise.all(ids.map(id => driver.find!(topic, group, id)));
      return ids.filter((_, index) => found[index]?.state === 'done');
    };
    await expect.poll(kept, soon).toEqual(ids.slice(-3));
  });
}

function isFull(open: Open): void {
  it('refuses messages beyond so many, and takes them when there is room', async () => {
    const driver = await ready(open, { maxMessages: 1 });
    let confirmed = 0;
    let refused: unknown;
    while (refused === undefined && confirmed < 2) {
      const [published] = await driver.publish(topic, [message(randomUUID())]);
      if (published!.ok) confirmed++;
      else refused = published;
    }
    expect(refused).toMatchObject({ ok: false, outcome: 'NotExecuted', error: expect.any(QueueFullError) });
    expect(confirmed).toBe(1);
    consume(driver, delivery => delivery.ack());
    await expect.poll(async () => (await driver.publish(topic, [message('later')]))[0]!.ok, soon).toBe(true);
  });
}

describe('a group of memoryDriver', () => {
  keepsDead(memoryDriver);
  keepsResults(memoryDriver);
  isFull(memoryDriver);
});

describe('a group of a broker over ZeroMQ', () => {
  const open: Open = async bounds => {
    const broker = await startBroker({ bind: 'tcp://127.0.0.1:*', ...bounds });
    onTestFinished(() => broker.close());
    return zeromq({ connect: broker.endpoint });
  };
  keepsDead(open);
  keepsResults(open);
  isFull(open);
});

describeWith('redis', 'a group in Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ own: true });
  });
  afterAll(() => server?.stop());

  describe('of redisStreams', () => {
    const open: Open = bounds =>
      redisStreams({
        redis: new Redis({ port: server.port, lazyConnect: true }),
        prefix: randomUUID(),
        ...bounds,
      });
    keepsDead(open);
    keepsResults(open);
    isFull(open);
    isFilledByOne(open);

    it('counts for that what no group has had, and not what waits after a failure', async () => {
      const driver = await ready(open, { maxMessages: 2 });
      const failed: string[] = [];
      consume(driver, async delivery => {
        if (delivery.failures === 0) await delivery.nack({ requeueAfterMs: 3_600_000 });
        failed.push(delivery.id);
      });
      for (const id of ids) {
        await expect.poll(async () => (await driver.publish(topic, [message(id)]))[0]!.ok, soon).toBe(true);
      }
      await expect.poll(() => failed, soon).toEqual(ids);
      await expect.poll(() => driver.stats!(topic, group), soon).toMatchObject({ waiting: 0, delayed: 8 });
    });
  });

  describe('of bullmq', () => {
    const open: Open = ({ maxDead, maxMessages }) => {
      const settings = { ...(maxDead && { maxDead }), ...(maxMessages && { maxMessages }) };
      return bullmq({ connection: { port: server.port }, prefix: randomUUID(), ...settings });
    };
    keepsDead(open);

    it('keeps so many handled messages; the oldest go', async () => {
      const prefix = randomUUID();
      const connection = { port: server.port };
      const driver = await ready(
        () => bullmq({ connection, prefix, maxCompleted: 3, deduplicationMs: 60_000 }),
        {},
      );
      const bull = new BullQueue(topic, { connection, prefix });
      onTestFinished(() => bull.close());
      consume(driver, delivery => delivery.ack());
      await driver.publish(topic, ids.map(message));
      await expect.poll(() => bull.getJobCountByTypes('waiting', 'active'), soon).toBe(0);
      expect(await bull.getJobCountByTypes('completed')).toBeLessThanOrEqual(3);
    });
  });
});

describeWith('nats', 'a group of nats', () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats({ own: true });
  });
  afterAll(() => server?.stop());
  const open: Open = bounds =>
    nats({ connection: { servers: `127.0.0.1:${server.port}` }, prefix: randomUUID(), ...bounds });
  keepsDead(open);
  isFilledByOne(open);
});

describeWith('postgres', 'a group of postgresDriver', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  const open: Open = async ({ maxDead, maxResults }) => {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ ...(maxDead && { maxDead }), ...(maxResults && { maxResults }) });
    await driver.migrate();
    return driver;
  };
  keepsDead(open);
  keepsResults(open);
});

describeWith('rabbitmq', 'a group of rabbitmq', () => {
  let server: RabbitServer;
  beforeAll(async () => {
    server = await startRabbit({ own: true });
  }, 120_000);
  afterAll(() => server?.stop());
  for (const queueType of ['quorum', 'classic'] as const) {
    describe(`with ${queueType} queues`, () =>
      keepsDead(bounds => rabbitmq({ url: server.url, prefix: randomUUID(), queueType, ...bounds })));
  }
});
