import { startTcpProxy } from '@workspace/services';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newClient, type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import { redisServers } from '../../src/adapters/redis.ts';
import { OutcomeUnknownError, ReplicaSet } from '../../src/index.ts';

/** What users of other clients of Redis have reported, tried here. Each test names the report. */

describe('on Redis', () => {
  let replication: RedisReplication;
  beforeEach(async () => {
    replication = await startReplication();
  });
  afterEach(() => replication.stop());
  const open = async () => {
    const set = await ReplicaSet.connect({ servers: replication.servers() });
    onTestFinished(() => set.close());
    await expect.poll(() => set.snapshot().servers.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    return set;
  };
  const follow = (id: string, other: string) =>
    replication.tell(id, 'REPLICAOF', '127.0.0.1', replication.members.get(other)!.port);
  const all = (n: number) => Array.from({ length: n });

  it('a primary that is demoted while connections to it stand gets no more writes (redis/redis-py 460, redis/ioredis 305, redis/node-redis 627, redis/jedis 1194)', async () => {
    const set = await open();
    await Promise.all(all(5).map(() => set.write(db => db.incr('n'))));
    await replication.tell('replica0', 'REPLICAOF', 'NO', 'ONE');
    await follow('primary', 'replica0');
    await follow('replica1', 'replica0');
    await Promise.all(all(5).map(() => set.write(db => db.incr('after'))));
    expect(await replication.tell('replica0', 'GET', 'after')).toBe('5');
    expect(set.snapshot().primary).toBe('replica0');
  });

  it('a replica that will not read as its link is down fails no read (redis/go-redis 3164, redisson/redisson 291)', async () => {
    const set = await open();
    await set.write(db => db.set('a', '1'));
    for (const id of ['replica0', 'replica1']) {
      await replication.tell(id, 'CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    }
    await expect.poll(() => replication.tell('replica1', 'GET', 'a')).toBe('1');
    await replication.tell('replica0', 'REPLICAOF', '127.0.0.1', 1);
    const read = () => set.read(db => db.get('a'), { consistency: 'eventual' });
    expect(new Set(await Promise.all(all(20).map(read)))).toEqual(new Set(['1']));
    await replication.tell('replica1', 'REPLICAOF', '127.0.0.1', 1);
    expect(new Set(await Promise.all(all(20).map(read)))).toEqual(new Set(['1']));
  });

  it('with no replica that lives the primary reads, with no primary a replica (redis/ioredis 131, 840, 1458, redis/node-redis 1709)', async () => {
    const set = await open();
    await set.write(db => db.set('a', '1'));
    const read = () => set.read(db => db.get('a'), { consistency: 'eventual' });
    await expect.poll(() => replication.tell('replica0', 'GET', 'a')).toBe('1');
    await expect.poll(() => replication.tell('replica1', 'GET', 'a')).toBe('1');
    await replication.members.get('primary')!.kill();
    expect(await Promise.all(all(5).map(read))).toEqual(all(5).fill('1'));
    await replication.members.get('primary')!.restart();
    await replication.members.get('replica0')!.kill();
    await replication.members.get('replica1')!.kill();
    expect(await Promise.all(all(5).map(read))).toEqual(all(5).fill('1'));
  });

  it('a command that waits on a primary which another has replaced ends, though that lives (redis/go-redis 583, redis/redis-py 1345)', async () => {
    const set = await open();
    const waiting = set.write(db => db.blpop('nothing', 0), { timeoutMs: 60_000 });
    waiting.catch(() => {});
    const blocked = async () => String(await replication.tell('primary', 'INFO', 'clients'));
    await expect.poll(blocked).toContain('blocked_clients:1');
    await replication.tell('replica0', 'REPLICAOF', 'NO', 'ONE');
    await expect(waiting).rejects.toThrow(OutcomeUnknownError);
    await set.write(db => db.set('a', '1'));
    expect(await replication.tell('replica0', 'GET', 'a')).toBe('1');
  });

  it('a command that is in flight when its connection breaks settles (redis/ioredis 2193)', async () => {
    const way = await startTcpProxy({ target: replication.members.get('primary')!.port });
    onTestFinished(() => way.stop());
    const servers = redisServers({
      servers: [{ id: 'primary', connection: `redis://127.0.0.1:${way.port}` }],
      newClient,
    });
    await using set = await ReplicaSet.connect({ servers });
    const waiting = set.write(db => db.blpop('nothing', 0));
    waiting.catch(() => {});
    const blocked = async () => String(await replication.tell('primary', 'INFO', 'clients'));
    await expect.poll(blocked).toContain('blocked_clients:1');
    way.cut();
    await expect(waiting).rejects.toThrow(OutcomeUnknownError);
    await set.write(db => db.set('a', '1'));
  });
});
