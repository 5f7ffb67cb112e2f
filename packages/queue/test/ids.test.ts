import { randomUUID } from 'node:crypto';
import { type Postgres, type Redis as RedisServer, startPostgres, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { bullmq } from '../src/adapters/bullmq.ts';
import { redisStreams } from '../src/adapters/redis-streams.ts';
import { startBroker, zeromq } from '../src/adapters/zeromq.ts';
import { type Driver, memoryDriver } from '../src/index.ts';
import { QueueTables } from './postgres/queue-tables.ts';

type Open = (deduplicationMs: number) => Promise<Driver> | Driver;

const soon = { timeout: 60_000, interval: 50 };
const [topic, group] = ['work', 'default'];
const message = (id: string) => ({ id, body: Buffer.from('{}'), headers: {} });
const isTaken = async (driver: Driver, id: string) => {
  const [published] = await driver.publish(topic, [message(id)]);
  expect(published).toMatchObject({ ok: true });
  return published!.ok && published!.isDuplicate !== true;
};

async function ready(open: Open, deduplicationMs: number): Promise<Driver> {
  const driver = await open(deduplicationMs);
  onTestFinished(() => driver[Symbol.asyncDispose]());
  await driver.declare(topic, group);
  return driver;
}

/** Acknowledges what comes, or buries what has one of these ids, until the test is over. */
function handling(driver: Driver, buried: readonly string[] = []): readonly string[] {
  const handled: string[] = [];
  const stop = new AbortController();
  const consuming = (async () => {
    for await (const delivery of driver.consume(topic, group, { prefetch: 5, signal: stop.signal })) {
      if (buried.includes(delivery.id)) await delivery.nack({ dead: 'for the test' });
      else await delivery.ack();
      handled.push(delivery.id);
    }
  })();
  onTestFinished(() => {
    stop.abort();
    return consuming;
  });
  return handled;
}

/** @param isTold whether the server tells a repetition from what is new */
function hasWindow(open: Open, isTold = true): void {
  it('is one message within the window although it was handled, and another after it', async () => {
    for (const windowMs of [1_000, 6_000, 30_000]) {
      const driver = await ready(open, windowMs);
      const handled = handling(driver);
      const timesOf = (id: string) => handled.filter(each => each === id).length;
      const startedAt = performance.now();
      expect(await isTaken(driver, 'a')).toBe(true);
      await expect.poll(() => timesOf('a'), soon).toBe(1);
      const again = await isTaken(driver, 'a');
      // A busy machine may need more time
      if (performance.now() - startedAt >= windowMs) continue;
      if (isTold) expect(again).toBe(false);
      expect(await isTaken(driver, 'b')).toBe(true);
      await expect.poll(() => timesOf('b'), soon).toBe(1);
      expect(timesOf('a')).toBe(1);
      const repeated = async () => {
        for (const id of ['a', randomUUID()]) await isTaken(driver, id); // Some forget as others are handled
        return timesOf('a');
      };
      await expect.poll(repeated, soon).toBeGreaterThanOrEqual(2);
      return;
    }
    expect.fail('the machine was too slow for the longest window');
  });
}

describe('an id that is published again with memoryDriver', () => {
  hasWindow(deduplicationMs => memoryDriver({ deduplicationMs }));

  it('is forgotten when twice as many others as `maxIds` came after it', async () => {
    const driver = await ready(() => memoryDriver({ maxIds: 3 }), 300_000);
    for (const id of ['a', 'b', 'c']) expect(await isTaken(driver, id)).toBe(true);
    expect(await isTaken(driver, 'a')).toBe(false);
    for (const id of ['d', 'e', 'f', 'g']) expect(await isTaken(driver, id)).toBe(true);
    expect(await isTaken(driver, 'a')).toBe(true);
  });
});

describe('an id that is published again with zeromq', () => {
  hasWindow(async deduplicationMs => {
    const broker = await startBroker({ bind: 'tcp://127.0.0.1:*', deduplicationMs });
    onTestFinished(() => broker.close());
    return zeromq({ connect: broker.endpoint });
  });
});

describeWith('redis', 'an id that is published again in Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ own: true });
  });
  afterAll(() => server?.stop());

  describe('with redisStreams', () => {
    hasWindow(deduplicationMs =>
      redisStreams({
        redis: new Redis({ port: server.port, lazyConnect: true }),
        prefix: randomUUID(),
        deduplicationMs,
      }),
    );
  });

  describe('with bullmq', () => {
    const open: Open = deduplicationMs =>
      bullmq({ connection: { port: server.port }, prefix: randomUUID(), deduplicationMs });
    hasWindow(open, false);
  });
});

describeWith('postgres', 'an id that is published again with postgresDriver', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  const open: Open = async deduplicationMs => {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ deduplicationMs });
    await driver.migrate();
    return driver;
  };
  hasWindow(open);

  it('is one message while it is a dead letter, also after the window', async () => {
    const driver = await ready(open, 1_000);
    const handled = handling(driver, ['dead']);
    for (const id of ['dead', 'alive']) expect(await isTaken(driver, id)).toBe(true);
    await expect.poll(() => handled.toSorted(), soon).toEqual(['alive', 'dead']);
    await expect.poll(() => isTaken(driver, 'alive'), soon).toBe(true);
    expect(await isTaken(driver, 'dead')).toBe(false);
    expect(await driver.purge!(topic, group, {})).toBe(1);
    await expect.poll(() => isTaken(driver, 'dead'), soon).toBe(true);
  });
});
