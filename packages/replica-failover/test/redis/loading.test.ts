import { randomBytes } from 'node:crypto';
import { type Redis as Servers, startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newClient } from '../../faults/redis/replication.ts';
import { redisServers } from '../../src/adapters/redis.ts';
import { PositionLostError, ReplicaSet, Session } from '../../src/index.ts';
import { over } from '../memory/changed-server.ts';

/** Answers while it loads, a few keys at a time, for longer than any test takes. */
const slowly = {
  'key-load-delay': 50_000,
  'loading-process-events-interval-bytes': 1_024,
  rdbcompression: 'no',
};

describe('a Redis that loads its data', () => {
  let redis: Servers;
  beforeEach(async () => {
    redis = await startRedis({ replicas: 1, config: slowly });
    const client = new Redis(redis.url);
    const values = Array.from({ length: 2_000 }, (_, n) => [`k${n}`, randomBytes(600).toString('hex')]);
    await client.mset(Object.fromEntries(values));
    await client.set('a', '1');
    await client.wait(1, 60_000);
    client.disconnect();
  });
  afterEach(() => redis.stop());

  const tell = async (url: string, ...command: [string, ...(string | number)[]]) => {
    const client = new Redis(url, { enableReadyCheck: false });
    client.on('error', () => {});
    try {
      return String(await client.call(...command));
    } finally {
      client.disconnect();
    }
  };
  const isLoading = (url: string) =>
    tell(url, 'INFO', 'persistence').then(info => info.includes('loading:1'));
  const servers = () =>
    redisServers({
      servers: [
        { id: 'primary', connection: redis.url },
        { id: 'replica', connection: redis.replicas[0]!.url },
      ],
      newClient,
    });
  const open = async (heartbeat: { intervalMs?: number } = {}) => {
    const set = await ReplicaSet.connect({ servers: servers(), heartbeat });
    onTestFinished(() => set.close());
    await expect.poll(() => set.snapshot().servers.map(({ state }) => state)).toEqual(['up', 'up']);
    return set;
  };

  it('as a replica, beneath open connections, fails no read and is not read any more (redis/ioredis 358, redis/redis-py 1472, predis/predis 1144)', async () => {
    // So that only what work meets says that a server loads
    const set = await open({ intervalMs: 600_000 });
    const replica = redis.replicas[0]!;
    const ports: unknown[] = [];
    const read = set.read(
      async db => {
        ports.push(db.options.port);
        if (ports.length === 1) {
          // It has missed more than the primary keeps for it, and gets all anew
          await tell(redis.url, 'CONFIG', 'SET', 'repl-backlog-size', 16_384);
          await tell(replica.url, 'REPLICAOF', '127.0.0.1', 1);
          await tell(redis.url, 'SET', 'filler', 'x'.repeat(100_000));
          await tell(replica.url, 'REPLICAOF', '127.0.0.1', redis.port);
          await expect.poll(() => isLoading(replica.url)).toBe(true);
        }
        return db.get('a');
      },
      { consistency: 'eventual', timeoutMs: 60_000 },
    );
    expect(await read).toBe('1');
    expect(ports).toEqual([replica.port, redis.port]);
    await expect.poll(() => set.snapshot().servers[1]?.state).toBe('down');
    for (let n = 0; n < 5; n++) {
      const port = await set.read(async db => db.options.port, { consistency: 'eventual' });
      expect(port).toBe(redis.port);
    }
    expect(await isLoading(replica.url)).toBe(true);
  });

  it('as the primary, is waited for by writes, and a replica reads meanwhile (redis/redis 4561)', async () => {
    const set = await open();
    await tell(redis.url, 'SAVE');
    await redis.kill();
    const restarting = redis.restart(); // is over when it has loaded
    restarting.catch(() => {});
    await expect.poll(() => isLoading(redis.url)).toBe(true);
    const late = set.write(db => db.incr('n'), { timeoutMs: 300 });
    await expect(late).rejects.toMatchObject({ outcome: 'NotExecuted' });
    const writing = set.write(db => db.incr('n'), { timeoutMs: 60_000 });
    expect(await set.read(db => db.get('a'), { consistency: 'eventual' })).toBe('1');
    expect(await isLoading(redis.url)).toBe(true);
    await tell(redis.url, 'CONFIG', 'SET', 'key-load-delay', 0);
    expect(await writing).toBe(1);
    await restarting;
  });
});

describe('a Redis that is started again between two looks', () => {
  it('is not believed, though no connection but that of the looks has told of it', async () => {
    const redis = await startRedis({ own: true });
    onTestFinished(() => redis.stop());
    const client = new Redis(redis.url);
    await client.set('a', '1');
    client.disconnect();
    let held = Promise.resolve();
    let look = () => {};
    const [server] = redisServers({ servers: [{ id: 'one', connection: redis.url }], newClient });
    const slow = over(server!, {
      async look(signal) {
        await held;
        return server!.look(signal);
      },
    });
    const text = await sessionText(redis.url);
    await using set = await ReplicaSet.connect({ servers: [slow], heartbeat: { deadlineMs: 60_000 } });
    held = new Promise(resolve => {
      look = resolve;
    });
    await redis.kill();
    await redis.restart(); // empty
    const reading = set.read(db => db.get('a'), { session: new Session(text) });
    reading.catch(() => {});
    expect(await set.read(db => db.get('a'))).toBe(null); // what the primary has
    look();
    await expect(reading).rejects.toThrow(PositionLostError);
  });

  it('as a replica that has lost its data, is not read at any level (redis/redis 3129)', async () => {
    const redis = await startRedis({ replicas: 1 });
    onTestFinished(() => redis.stop());
    let held = Promise.resolve();
    let look = () => {};
    const replica = redis.replicas[0]!;
    const all = redisServers({
      servers: [
        { id: 'primary', connection: redis.url },
        { id: 'replica', connection: replica.url },
      ],
      newClient,
    }).map(server =>
      over(server, {
        async look(signal) {
          await held;
          return server.look(signal);
        },
      }),
    );
    await using set = await ReplicaSet.connect({ servers: all, heartbeat: { deadlineMs: 60_000 } });
    await set.write(db => db.set('a', '1'));
    const read = () => set.read(db => db.get('a'), { consistency: 'eventual' });
    await expect.poll(read).toBe('1');
    held = new Promise(resolve => {
      look = resolve;
    });
    const client = new Redis(redis.url);
    await client.call('ACL', 'SETUSER', 'default', '-psync', '-sync'); // so that it cannot copy
    client.disconnect();
    await replica.kill();
    await replica.restart();
    for (let n = 0; n < 5; n++) expect(await read()).toBe('1');
    look();
    await expect.poll(() => set.snapshot().servers[1]?.state).toBe('down');
    expect(await read()).toBe('1');
  });
});

/** Of a session that has seen all that is there, as another process has written it. */
async function sessionText(url: string): Promise<string> {
  const servers = redisServers({ servers: [{ id: 'one', connection: url }], newClient });
  await using set = await ReplicaSet.connect({ servers });
  const session = new Session();
  await set.write(db => db.set('b', '1'), { session });
  return session.serialize();
}
