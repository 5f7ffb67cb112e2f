import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newClient, type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import { redisServers } from '../../src/adapters/redis.ts';
import { ReplicaSet, WrongServersError } from '../../src/index.ts';

describe('servers of Redis that do not belong together', () => {
  let ours: RedisReplication;
  let others: RedisReplication;
  const sets: ReplicaSet<Redis>[] = [];
  beforeEach(async () => {
    [ours, others] = await Promise.all([startReplication(), startReplication()]);
    await ours.tell('primary', 'SET', 'whose', 'ours');
    await others.tell('primary', 'SET', 'whose', 'theirs');
  });
  afterEach(async () => {
    for (const set of sets.splice(0)) await set.close();
    await Promise.all([ours.stop(), others.stop()]);
  });

  const url = (replication: RedisReplication, id: string) => replication.members.get(id)!.url;
  const connect = async (all: Record<string, string>) => {
    const servers = Object.entries(all).map(([id, connection]) => ({ id, connection }));
    // Which server belongs to the others is known of those that answer in time
    const patiently = { heartbeat: { deadlineMs: 20_000 }, timeoutMs: 50_000 };
    const set = await ReplicaSet.connect({ servers: redisServers({ servers, newClient }), ...patiently });
    sets.push(set);
    return set;
  };
  const stateOf = (set: ReplicaSet<Redis>, id: string) =>
    set.snapshot().servers.find(each => each.id === id)?.state;

  it('are refused at connect: two masters with data of their own', async () => {
    const wrong = connect({ a: url(ours, 'primary'), b: url(ours, 'replica0'), c: url(others, 'primary') });
    await expect(wrong).rejects.toThrow(WrongServersError);
    await expect(wrong).rejects.toThrow(/is of another cluster than/);
  });

  it('are refused at connect: a replica of another master, which a set has named or which none has seen', async () => {
    const all = { a: url(ours, 'primary'), b: url(ours, 'replica0'), c: url(others, 'replica0') };
    const read = async (set: ReplicaSet<Redis>) => {
      await expect.poll(() => stateOf(set, 'c')).toBe('down');
      // A replica may not have it yet
      await expect.poll(() => ours.tell('replica0', 'GET', 'whose')).toBe('ours');
      for (let n = 0; n < 10; n++) {
        expect(await set.read(db => db.get('whose'), { consistency: 'eventual' })).toBe('ours');
      }
    };
    // A replica that nobody has named is known when the primary is: it may have been looked at before
    await connect(all).then(read, error => expect(error).toBeInstanceOf(WrongServersError));
    await (await connect({ x: url(others, 'primary'), y: url(others, 'replica0') })).close();
    await expect.poll(() => others.tell('replica0', 'GET', 'ashlar:replica-failover')).toContain('"origin"');
    await expect(connect(all)).rejects.toThrow(WrongServersError);
  });

  it('are refused at connect: one server under two addresses', async () => {
    const primary = url(ours, 'primary');
    const all = { a: primary, b: url(ours, 'replica0'), again: primary.replace('127.0.0.1', 'localhost') };
    await expect(connect(all)).rejects.toThrow(/are one server/);
  });

  it('stay what they are when they are emptied, started again and promoted', async () => {
    const [primary, next] = ['primary', 'replica0'];
    const all = { primary: url(ours, 'primary'), replica0: url(ours, 'replica0') };
    const set = await connect(all);
    await set.write(db => db.flushall());
    await set.write(db => db.set('a', '1'));
    await ours.members.get(primary)!.kill();
    await ours.tell(next, 'REPLICAOF', 'NO', 'ONE');
    await expect.poll(() => set.snapshot().primary).toBe(next);
    await set.write(db => db.set('a', '2'));
    await ours.members.get(primary)!.restart();
    await expect.poll(() => stateOf(set, primary)).toBe('up');
    await ours.tell(primary, 'REPLICAOF', '127.0.0.1', ours.members.get(next)!.port);
    const read = () => set.read(db => db.get('a'), { consistency: 'eventual' });
    await expect.poll(read).toBe('2');
    expect(stateOf(set, primary)).toBe('up');
    await (await connect(all)).close();
  });
});
