import { setTimeout as delay } from 'node:timers/promises';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { type Redis as RedisServer, startRedis, startRedisCluster, within } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import { group, message, Reader, send, topic } from '../../src/conformance/subject.ts';
import { type Capabilities, type Driver, messages, Queue } from '../../src/index.ts';

let made = 0;

/** BullMQ 5 and 6 have the same methods here, and types that are not each other's. */
const libraries = { '6': six, '5': five } as unknown as Record<string, typeof six>;

describeWith('redis', 'what a user of BullMQ has', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ own: true });
  });
  afterAll(() => server.stop());

  for (const [version, library] of Object.entries(libraries)) {
    const connection = () => ({ host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null });
    /** A queue that is there already, and a driver over it. */
    const begin = (options: object = {}) => {
      const name = `mail-${made++}`;
      const bull = new library.Queue(name, { connection: connection(), ...options });
      onTestFinished(() => bull.close());
      const driver = bullmq({ queue: bull, leaseMs: 2_000, library: library as BullmqLibrary });
      onTestFinished(() => driver[Symbol.asyncDispose]());
      const queue = new Queue(driver as Driver<Capabilities>, {
        messages: messages<Record<string, unknown>>(),
      });
      return { name, bull, driver, queue };
    };

    it(`BullMQ ${version}: raw jobs of other code are handled, and what the handler returns is their result`, async () => {
      const { name, bull, queue } = begin();
      const job = await bull.add('welcome', { to: 'ada@example.com' });
      const seen: unknown[] = [];
      const handler = (payload: unknown, { id, headers }: { id: string; headers: object }) => {
        seen.push(payload, id, headers);
        return { sent: true };
      };
      await using _ = await queue.subscribe(name, handler, { results: true } as object);
      await within(5_000, async () => (await bull.getJob(job.id!))?.finishedOn);
      expect(seen).toEqual([
        { to: 'ada@example.com' },
        job.id,
        { 'ce-id': job.id, 'ce-type': 'welcome', 'content-type': 'application/json' },
      ]);
      expect((await bull.getJob(job.id!))?.returnvalue).toEqual({ sent: true });
    });

    it(`BullMQ ${version}: a plain worker reads what the queue publishes, a CloudEvent with its trace`, async () => {
      const { name, queue } = begin();
      await queue.declare(name);
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const headers = { traceparent, 'x-shop': 'north' };
      const { id } = await queue.publish(name, { to: 'ada' }, { key: 'tenant 7', headers } as object);
      await queue.publish(name, Uint8Array.of(0, 255));
      const jobs: { id: string | undefined; data: Record<string, unknown> }[] = [];
      const worker = new library.Worker(name, async job => void jobs.push({ id: job.id, data: job.data }), {
        connection: connection(),
      });
      onTestFinished(() => worker.close());
      await within(5_000, () => jobs.length === 2 || undefined);
      expect(jobs[0]!.id).toBe(id);
      expect(jobs[0]!.data).toMatchObject({
        ...{ specversion: '1.0', id, source: '/queue', type: name, datacontenttype: 'application/json' },
        ...{ partitionkey: 'tenant 7', traceparent, headers: '{"x-shop":"north"}', data: { to: 'ada' } },
      });
      expect(jobs[1]!.data).toMatchObject({
        datacontenttype: 'application/octet-stream',
        data_base64: 'AP8=',
      });
    });

    it(`BullMQ ${version}: Bull Board shows the jobs, also those that are sorted by key, and retries the dead`, async () => {
      const { name, bull, driver } = begin();
      await driver.declare(name, 'default');
      const board = boardOf(bull);
      await send(
        driver,
        name,
        message('a', { key: 'a' }),
        message('b', { key: 'b' }),
        message('c', { key: 'a' }),
      );
      expect(await board.counts()).toMatchObject({ waiting: 3 });
      await using reader = new Reader(driver, name, 'default', { prefetch: 1, fair: true });
      await reader.has({ driver } as never, 1);
      expect(await board.counts()).toMatchObject({ active: 1, prioritized: 2 });
      await reader.received[0]!.nack({ dead: 'Error: no such tenant' });
      await (await reader.has({ driver } as never, 2))[1]!.ack();
      await reader.has({ driver } as never, 3);
      expect(await board.counts()).toMatchObject({ failed: 1, completed: 1, active: 1 });
      const [failed] = await board.jobs('failed');
      expect(failed).toMatchObject({ name, failedReason: 'Error: no such tenant' });
      await board.retry(failed!.id);
      await reader.received[2]!.ack();
      await (await reader.has({ driver } as never, 4))[3]!.ack();
      expect(await board.counts()).toMatchObject({ failed: 0, completed: 3 });
    });

    it(`BullMQ ${version}: schedulers go on, flows run in their order, and the queue stays the user's`, async () => {
      const { name, bull, queue } = begin();
      const flows = new library.FlowProducer({ connection: connection() });
      onTestFinished(() => flows.close());
      await bull.upsertJobScheduler('often', { every: 100 }, { name: 'tick', data: { tick: true } });
      const child = { name: 'child', queueName: name, data: { part: 'child' } };
      await flows.add({ name: 'parent', queueName: name, data: { part: 'parent' }, children: [child] });
      const seen: unknown[] = [];
      const subscription = await queue.subscribe(name, payload => void seen.push(payload));
      const ticks = () => seen.filter(each => (each as { tick?: boolean }).tick === true).length;
      const parts = () => seen.flatMap(each => (each as { part?: string }).part ?? []);
      await within(10_000, () => (ticks() >= 4 && parts().length === 2) || undefined);
      expect(parts()).toEqual(['child', 'parent']);
      expect(ticks()).toBeGreaterThanOrEqual(4);
      await subscription.close();
      await queue.close();
      expect(await bull.removeJobScheduler('often')).toBe(true);
      expect((await bull.add('mine', {})).id).toBeDefined();
    });

    it(`BullMQ ${version}: a parent whose child is dead fails without being handled`, async () => {
      const { name, bull, queue } = begin();
      const flows = new library.FlowProducer({ connection: connection() });
      onTestFinished(() => flows.close());
      const child = { name: 'child', queueName: name, data: {}, opts: { failParentOnFailure: true } };
      const { job } = await flows.add({ name: 'parent', queueName: name, data: {}, children: [child] });
      const seen: unknown[] = [];
      const handler = (_: unknown, { headers }: { headers: Record<string, string> }) => {
        seen.push(headers['ce-type']);
        throw new Error('never');
      };
      await using _ = await queue.subscribe(name, handler, { attempts: 1 });
      await within(5_000, async () => (await bull.getJob(job.id!))?.finishedOn);
      expect(seen).toEqual(['child']);
      expect(await bull.getJobCounts('failed')).toEqual({ failed: 2 });
    });

    it(`BullMQ ${version}: their defaults for jobs stay, and any id may be published (taskforcesh/bullmq 4052, taskforcesh/bullmq 2832)`, async () => {
      const { name, bull, driver } = begin({ defaultJobOptions: { attempts: 7, stackTraceLimit: 1 } });
      await driver.declare(name, 'default');
      const ids = [
        'wait',
        '17',
        'a:b',
        '~tilde',
        '0:1',
        'Grüße 世界',
        'x'.repeat(256),
        '%',
        'meta',
        '-5',
        'NaN',
      ];
      for (const id of ids) await send(driver, name, { ...message(id), id }, { ...message(id), id });
      expect(await bull.getJobCounts('wait')).toEqual({ wait: ids.length });
      expect((await bull.getJobs(['wait']))[0]!.opts).toMatchObject({ attempts: 7, stackTraceLimit: 1 });
      for (const id of ids)
        expect(await driver.find!(name, 'default', id)).toMatchObject({ state: 'waiting' });
      await using reader = new Reader(driver, name, 'default', { prefetch: ids.length });
      const received = await reader.has({ driver } as never, ids.length);
      expect(received.map(({ id }) => id)).toEqual(ids);
      await Promise.all(received.map(each => each.nack({ dead: each.id })));
      const letters = await driver.inspect!(name, 'default', { limit: 100 });
      expect(letters.map(({ id }) => id).sort()).toEqual([...ids].sort());
      expect(await driver.redrive!(name, 'default', { ids: ['a:b', 'wait', 'no such'] })).toBe(2);
      expect(await driver.purge!(name, 'default', {})).toBe(ids.length - 2);
    });

    it(`BullMQ ${version}: a queue that was obliterated is a group that is gone, until it is declared again`, async () => {
      const { name, bull, queue } = begin();
      const seen: unknown[] = [];
      await using _ = await queue.subscribe(name, payload => void seen.push(payload));
      expect(queue.health().ok).toBe(true);
      await bull.obliterate({ force: true });
      await within(5_000, () => !queue.health().ok || undefined);
      expect(queue.health().subscriptions[0]!.reason).toContain('does not exist');
      await queue.declare(name);
      await queue.publish(name, 'again');
      await within(5_000, () => seen.includes('again') || undefined);
      expect(queue.health().ok).toBe(true);
    });
  }

  it('a queue in PostgreSQL is refused, and so is what is no connection to Redis', async () => {
    const backend = (...args: Parameters<typeof six.createPostgresBackend>) =>
      six.createPostgresBackend(...args);
    const connection = { host: '127.0.0.1', port: 1, connectionTimeoutMillis: 1 } as never;
    const queue = new six.Queue('mail', { connection }, backend as never);
    queue.on('error', () => {});
    onTestFinished(() => queue.disconnect().catch(() => {}));
    expect(() => bullmq({ queue })).toThrow(/must keep its jobs in Redis; .* use the postgres driver/);
    expect(() => bullmq({ connection: { query() {} } })).toThrow(/PostgreSQL/);
    expect(() => bullmq({})).toThrow(/give `queue` or `connection`/);
    const redis = new Redis({ port: server.port, lazyConnect: true, keyPrefix: 'app:' });
    expect(() => bullmq({ connection: redis })).toThrow(/must have no keyPrefix, got "app:"/);
    const cluster = new Cluster([{ port: server.port }], { lazyConnect: true });
    expect(() => bullmq({ connection: cluster })).toThrow(/must have a hash tag in a cluster, got "bull"/);
    await delay(0);
  });
});

describeWith([{ own: 'redis' }], 'a cluster', () => {
  it('holds all queues of a prefix together', async () => {
    const cluster = await startRedisCluster();
    onTestFinished(() => cluster.stop());
    const redis = new Cluster([{ port: cluster.nodes[0]!.port }], { lazyConnect: true });
    await using driver = bullmq({ connection: redis, prefix: '{shop}' });
    for (const each of ['default', group]) await driver.declare(topic, each);
    await send(driver, topic, message('one', { key: 'a' }), message('two', { key: 'b' }));
    for (const each of ['default', group]) {
      await using reader = new Reader(driver, topic, each, { fair: true, each: each => each.ack() });
      await reader.has({ driver } as never, 2);
    }
  });
});

/** Bull Board's own API over a queue, without its server. */
function boardOf(queue: six.Queue) {
  let queues: unknown;
  let routes: readonly { readonly route: string | readonly string[]; handler(request: object): unknown }[] =
    [];
  const server = {
    setQueues: (all: unknown) => {
      queues = all;
      return server;
    },
    setApiRoutes: (all: typeof routes) => {
      routes = all;
      return server;
    },
    setViewsPath: () => server,
    setStaticPath: () => server,
    setEntryRoute: () => server,
    setErrorHandler: () => server,
    setUIConfig: () => server,
  };
  createBullBoard({ queues: [new BullMQAdapter(queue)], serverAdapter: server as never });
  const call = async (route: string, request: object) => {
    const found = routes.find(each => [each.route].flat().includes(route))!;
    return (await found.handler({ queues, headers: {}, params: {}, query: {}, ...request })) as {
      readonly body: {
        readonly queues: readonly { readonly counts: object; readonly jobs: { id: string }[] }[];
      };
    };
  };
  const shown = async (status: string) => {
    const { body } = await call('/api/queues', { query: { activeQueue: queue.name, status, page: '1' } });
    return body.queues[0]!;
  };
  return {
    counts: async () => (await shown('latest')).counts,
    jobs: async (status: string) => (await shown(status)).jobs,
    retry: (jobId: string) =>
      call('/api/queues/:queueName/:jobId/retry', {
        params: { queueName: queue.name, jobId, queueStatus: 'failed' },
      }),
  };
}
