import { randomUUID } from 'node:crypto';
import type { RedisLike } from '@ashlar/store/redis-connection';
import { eventually, type RedisCluster, startRedis, startRedisCluster } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { queueConformance } from '../../src/conformance.ts';
import { messages, Queue } from '../../src/index.ts';
import { redisSubject } from '../support/redis-subject.ts';
import { sideBySide } from '../support/side-by-side.ts';

const { capabilities } = redisStreams({ redis: new Redis({ lazyConnect: true }) });

const suite = (name: string, client: () => RedisLike, admins: () => readonly Redis[]) =>
  queueConformance(
    sideBySide,
    redisSubject(prefix => redisStreams({ redis: client(), prefix, leaseMs: 2_000 }), admins),
    { name, capabilities, features: { others: true, breaks: true } },
  );

describeWith([{ own: 'redis' }], 'in a cluster of three nodes', () => {
  let servers: RedisCluster;
  let admins: Redis[] = [];
  beforeAll(async () => {
    servers = await startRedisCluster();
    admins = servers.nodes.map(({ port }) => new Redis(port));
  });
  afterAll(async () => {
    for (const admin of admins) admin.disconnect();
    await servers?.stop();
  });
  const clients: Readonly<Record<string, () => RedisLike>> = {
    'redisStreams with a Cluster of ioredis 6': () =>
      new Cluster(
        servers.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
        { lazyConnect: true, keyPrefix: 'app:' },
      ),
    'redisStreams with a cluster of node-redis 5': () =>
      createCluster({ rootNodes: servers.nodes.map(({ url }) => ({ url })) }),
  };
  for (const [name, client] of Object.entries(clients)) suite(name, client, () => admins);

  for (const [name, client] of Object.entries(clients)) {
    it(`${name} follows its topic to another node, and loses nothing`, async () => {
      const prefix = randomUUID();
      await using driver = redisStreams({ redis: client(), prefix, leaseMs: 1_000 });
      await driver.declare('work', 'group');
      const [source = 0] = await holding(`{${prefix}:work}:s`);
      const to = (source + 1) % 3;
      const handled = new Set<string>();
      const stop = new AbortController();
      // As a queue does: when iterating fails, it begins again
      const reading = (async () => {
        while (!stop.signal.aborted) {
          try {
            for await (const each of driver.consume('work', 'group', { prefetch: 5, signal: stop.signal })) {
              each
                .ack()
                .then(() => handled.add(each.id))
                .catch(() => {});
            }
          } catch {
            await new Promise(resolve => setImmediate(resolve));
          }
        }
      })();
      const confirmed: string[] = [];
      let isMoving = true;
      onTestFinished(() => {
        isMoving = false;
        stop.abort();
      });
      const publishing = (async () => {
        for (let n = 0; isMoving || n < 200; n++) {
          const one = { id: `${n}`, body: Buffer.from('x'), headers: {} };
          const [published] = await driver.publish('work', [one]);
          if (published!.ok) confirmed.push(one.id);
        }
      })();
      await eventually(async () => expect(handled.size).toBeGreaterThan(20), { withinMs: 20_000 });
      await move(`{${prefix}:work}:s`, source, to);
      const before = confirmed.length;
      await eventually(async () => expect(confirmed.length).toBeGreaterThan(before + 20), {
        withinMs: 20_000,
      });
      isMoving = false;
      await publishing;
      const missing = () => confirmed.filter(id => !handled.has(id));
      await eventually(async () => expect(missing()).toEqual([]), { withinMs: 20_000 });
      expect(await holding(`{${prefix}:work}:s`)).toEqual([to]);
      stop.abort();
      await reading;
    });
  }

  /** The numbers of the nodes that have a key. */
  async function holding(key: string): Promise<number[]> {
    const found: number[] = [];
    for (const [index, admin] of admins.entries()) {
      const names = (await admin.call('KEYS', [`*${key}`])) as string[];
      if (names.length > 0) found.push(index);
    }
    return found;
  }

  /** Moves the slot of a key, with its keys, from one node to another. */
  async function move(key: string, from: number, to: number): Promise<void> {
    const [source, target] = [admins[from]!, admins[to]!];
    const slot = (await source.call('CLUSTER', ['KEYSLOT', key])) as number;
    const [sourceId, targetId] = (await Promise.all(
      [source, target].map(admin => admin.call('CLUSTER', ['MYID'])),
    )) as [string, string];
    await target.call('CLUSTER', ['SETSLOT', slot, 'IMPORTING', sourceId]);
    await source.call('CLUSTER', ['SETSLOT', slot, 'MIGRATING', targetId]);
    for (;;) {
      const keys = (await source.call('CLUSTER', ['GETKEYSINSLOT', slot, 100])) as string[];
      if (keys.length === 0) break;
      const { port } = servers.nodes[to]!;
      await source.call('MIGRATE', ['127.0.0.1', port, '', 0, 5_000, 'KEYS', ...keys]);
    }
    for (const admin of [target, source, ...admins]) {
      await admin.call('CLUSTER', ['SETSLOT', slot, 'NODE', targetId]);
    }
  }
});

describeWith([{ own: 'redis' }], 'with Sentinel', () => {
  const soon = { timeout: 60_000, interval: 100 };

  it('redisStreams goes on at the new primary, with what the replica had', { timeout: 120_000 }, async () => {
    const server = await startRedis({ replicas: 1, sentinels: 3, downAfterMs: 500 });
    onTestFinished(() => server.stop());
    const redis = new Redis({
      sentinels: server.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      name: server.masterName,
      lazyConnect: true,
    });
    const queue = new Queue(redisStreams({ redis, timeoutMs: 3_000, leaseMs: 2_000 }), {
      messages: messages<{ work: number }>(),
    });
    onTestFinished(() => queue.close());
    const handled = new Set<number>();
    await queue.subscribe('work', n => void handled.add(n));
    await queue.publish('work', 0);
    await expect.poll(() => handled.has(0), soon).toBe(true);
    await queue.pause('work');
    for (let n = 1; n <= 20; n++) await queue.publish('work', n);
    // What the replica has not got when the primary dies is lost
    const primary = new Redis(server.port);
    await primary.set('mark', '1');
    expect(await primary.wait(1, 30_000)).toBe(1);
    primary.disconnect();
    await server.kill();
    const resume = () =>
      queue.resume('work').then(
        () => true,
        () => false,
      );
    await expect.poll(resume, soon).toBe(true);
    await expect.poll(() => handled.size, soon).toBe(21);
    const publish = () =>
      queue.publish('work', 21, { id: 'after' }).then(
        () => true,
        () => false,
      );
    await expect.poll(publish, soon).toBe(true);
    await expect.poll(() => handled.has(21), soon).toBe(true);
    await expect.poll(() => queue.health().ok, soon).toBe(true);
  });
});
