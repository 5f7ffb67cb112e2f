import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type NatsServer,
  type Postgres,
  type Redis as RedisServer,
  startNats,
  startPostgres,
  startRedis,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { bullmq } from '../../src/adapters/bullmq.ts';
import { nats } from '../../src/adapters/nats.ts';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { type Driver, memoryDriver, messages, Queue } from '../../src/index.ts';
import type { MemoryCapabilities } from '../../src/memory/options.ts';
import { QueueTables } from '../postgres/queue-tables.ts';

/** What users of other queues have reported, tried here on each driver that can do what it is about. */

type Open = () => Promise<Driver<MemoryCapabilities>> | Driver<MemoryCapabilities>;

/** Longer than any test: no lease ends on a busy machine. */
const leaseMs = 600_000;
const timeoutMs = 60_000;
const soon = { timeout: 60_000 };

async function open(driver: Driver): Promise<Queue<{ work: number; other: number }, MemoryCapabilities>> {
  const types = messages<{ work: number; other: number }>();
  const queue = new Queue(driver as Driver<MemoryCapabilities>, { messages: types });
  onTestFinished(() => queue.close({ timeoutMs: 0 }));
  return queue;
}

const failsOnce = { firstMs: 20, maxMs: 20 };

function resolvers(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>(done => {
    resolve = done;
  });
  return { promise, resolve };
}

function reports(make: Open): void {
  it('two messages of one key, one of which waits for its next attempt, are fetched together and both handled (timgit/pg-boss 535)', async () => {
    const queue = await open(await make());
    await queue.declare('work');
    const deduplication = { key: 'report', mode: 'throttle', ttlMs: 1 } as const;
    const handled: number[] = [];
    let hasFailed = false;
    const first = await queue.subscribe('work', () => {
      hasFailed = true;
      throw new Error('for the test');
    });
    await queue.publish('work', 1, { deduplication });
    await expect.poll(() => hasFailed, soon).toBe(true);
    await first.close();
    await expect
      .poll(async () => (await queue.publish('work', 2, { deduplication })).isDuplicate, soon)
      .toBe(undefined);
    await queue.subscribe('work', n => void handled.push(n), { concurrency: 10 });
    await expect.poll(() => handled.toSorted(), soon).toEqual([1, 2]);
    await queue.publish('work', 3);
    await expect.poll(() => handled.includes(3), soon).toBe(true);
  });

  it('of those that are published with one key while another runs, one comes (graphile/worker 303)', async () => {
    const queue = await open(await make());
    await queue.declare('work');
    const deduplication = { key: 'report', mode: 'debounce', ttlMs: 3_000 } as const;
    const begun: number[] = [];
    const running = resolvers();
    await queue.subscribe('work', async n => {
      begun.push(n);
      if (n === 1) await running.promise;
    });
    await queue.publish('work', 1, { deduplication: { ...deduplication, ttlMs: 1 } });
    await expect.poll(() => begun, soon).toEqual([1]);
    await queue.publishMany('work', [2, 3, 4], { deduplication });
    running.resolve();
    await expect.poll(() => begun.length, soon).toBe(2);
    await queue.publish('work', 5);
    await expect.poll(() => begun, soon).toEqual([1, 4, 5]);
  });

  it('one key in two topics is two messages (graphile/worker 312)', async () => {
    const queue = await open(await make());
    const deduplication = { key: 'report', mode: 'simple' } as const;
    const handled: string[] = [];
    for (const topic of ['work', 'other'] as const) {
      await queue.declare(topic);
      expect((await queue.publish(topic, 1, { deduplication })).isDuplicate).toBe(undefined);
    }
    for (const topic of ['work', 'other'] as const) {
      await queue.subscribe(topic, n => void handled.push(`${topic} ${n}`));
    }
    await expect.poll(() => handled.toSorted(), soon).toEqual(['other 1', 'work 1']);
  });

  it('a rate goes on for a backlog and several handlers at once, and fails nobody (OptimalBits/bull 1110, taskforcesh/bullmq 3289)', async () => {
    const queue = await open(await make());
    await queue.declare('work');
    const all = Array.from({ length: 60 }, (_, n) => n);
    await queue.publishMany('work', all);
    const handled = new Set<number>();
    await queue.subscribe(
      'work',
      async n => {
        await delay(5);
        if (n % 7 === 0 && !handled.has(-n - 1)) {
          handled.add(-n - 1);
          throw new Error('for the test');
        }
        handled.add(n);
      },
      { concurrency: 5, limits: { rate: { count: 3, perMs: 50 } }, backoff: failsOnce },
    );
    await expect.poll(() => all.filter(n => handled.has(n)), soon).toEqual(all);
  });

  it('a message whose delay ends while the rate is used up waits for it (taskforcesh/bullmq 2193)', async () => {
    const queue = await open(await make());
    const begunAt: number[] = [];
    await queue.subscribe('work', () => void begunAt.push(performance.now()), {
      limits: { rate: { count: 1, perMs: 1_500 } },
    });
    const startedAt = performance.now();
    await queue.publish('work', 2, { delayMs: 50 });
    await queue.publish('work', 1);
    await expect.poll(() => begunAt.length, soon).toBe(2);
    // The first token was there; the second comes with time, by the clock of the backend
    expect(begunAt[1]! - startedAt).toBeGreaterThan(1_400);
  });
}

function plainReports(make: () => Promise<Driver> | Driver): void {
  it('what has failed for good is in nobody’s way, and can be looked at and deleted (nats-io/nats-server 5564, 7680)', async () => {
    const queue = await open(await make());
    const handled: number[] = [];
    const handler = (n: number) => {
      if (n < 20) throw new Error('for the test');
      handled.push(n);
    };
    await queue.subscribe('work', handler, { attempts: 2, backoff: failsOnce, concurrency: 3 });
    await queue.publishMany(
      'work',
      Array.from({ length: 40 }, (_, n) => n),
    );
    await expect.poll(() => handled.length, soon).toBe(20);
    const dead = queue.dead('work');
    await expect.poll(() => dead.count(), soon).toBe(20);
    expect(await queue.stats('work')).toMatchObject({ waiting: 0, delayed: 0, active: 0, dead: 20 });
    expect(await dead.purge()).toBe(20);
    expect(await queue.stats('work')).toMatchObject({ waiting: 0, delayed: 0, active: 0, dead: 0 });
  });

  it('many at once that are acknowledged come once (quarkiverse/quarkus-reactive-messaging-nats-jetstream 487)', async () => {
    const queue = await open(await make());
    await queue.declare('work');
    const all = Array.from({ length: 1_500 }, (_, n) => n);
    await queue.publishMany('work', all);
    const handled: number[] = [];
    await queue.subscribe(
      'work',
      async n => {
        await delay(10);
        handled.push(n);
      },
      { concurrency: 1_000 },
    );
    await expect.poll(() => new Set(handled).size, soon).toBe(all.length);
    await expect.poll(async () => (await queue.stats('work')).active, soon).toBe(0);
    expect(handled.length).toBe(all.length);
  });
}

describe('with memoryDriver', () => {
  const make = () => memoryDriver({ leaseMs });
  reports(make);
  plainReports(make);
});

describeWith('redis', 'in Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ own: true });
  });
  afterAll(() => server?.stop());
  describe('with redisStreams', () => {
    const make = () =>
      redisStreams({
        redis: new Redis({ port: server.port, lazyConnect: true }),
        prefix: randomUUID(),
        leaseMs,
        timeoutMs,
      }) as unknown as Driver<MemoryCapabilities>;
    reports(make);
    plainReports(make);
  });
  describe('with bullmq', () => {
    const make = () =>
      bullmq({ connection: { port: server.port }, prefix: randomUUID(), leaseMs, timeoutMs }) as never;
    reports(make);
    plainReports(make);
  });
});

describeWith('postgres', 'with postgresDriver', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());
  const make = async () => {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ leaseMs, timeoutMs });
    await driver.migrate();
    return driver as never;
  };
  reports(make);
  plainReports(make);
});

describeWith('nats', 'with nats', () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats({ own: true });
  });
  afterAll(() => server?.stop());
  plainReports(() =>
    nats({ connection: { servers: `127.0.0.1:${server.port}` }, prefix: randomUUID(), leaseMs, timeoutMs }),
  );
});
