import { InvalidOptionError, sleep } from '@ashlar/core';
import { startTcpProxy } from '@workspace/services';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newClient, type RedisReplication, startReplication } from '../../faults/redis/replication.ts';
import { redisServers, sentinel } from '../../src/adapters/redis.ts';
import { NoPrimaryError, ReplicaSet, Session } from '../../src/index.ts';

// Each moves the primary, so each has servers of its own
describe('following Sentinel', () => {
  let replication: RedisReplication;
  let sets: ReplicaSet<Redis>[];
  beforeEach(async () => {
    replication = await startReplication({ sentinels: 3 });
    sets = [];
  });
  afterEach(async () => {
    for (const set of sets) await set.close();
    await replication.stop();
  });

  const authority = (name = replication.masterName) =>
    sentinel({ sentinels: replication.sentinels.map(({ url }) => url), name, newClient });
  const connect = async (acknowledge = 0) => {
    const set = await ReplicaSet.connect({
      servers: replication.servers({ acknowledge }),
      authority: authority(),
      timeoutMs: 50_000, // a Sentinel that was held up for 2 s does nothing for 30 s
    });
    sets.push(set);
    return set;
  };
  const read = (set: ReplicaSet<Redis>, key: string, session?: Session) =>
    set.read(db => db.get(key), { session });

  it('goes on with the replica that the Sentinels promote, which has what was acknowledged', async () => {
    const [set, certain] = [await connect(), await connect(2)];
    const session = new Session();
    expect(set.snapshot()).toMatchObject({ authority: 'sentinel', primary: 'primary', term: 0 });
    await certain.write(db => db.set('a', '1'), { session });
    await replication.members.get('primary')!.kill();
    await isDown(set);
    await set.write(db => db.set('b', '2'), { session });
    expect(set.snapshot().primary).toMatch(/^replica/);
    expect(set.snapshot().term).toBeGreaterThan(0);
    expect(await read(set, 'a', session)).toBe('1');
  });

  it('gives no work to the primary of before, though it comes back as one (redis/redis-py 3560)', async () => {
    const [set, certain] = [await connect(), await connect(2)];
    const session = new Session();
    await certain.write(db => db.set('a', '1'), { session });
    const old = replication.members.get('primary')!;
    old.pause();
    await isDown(set);
    await set.write(db => db.set('b', '2'), { session });
    const { primary } = set.snapshot();
    // The Sentinels demote it later; until then it takes writes from whoever asks
    for (const one of replication.sentinels) one.pause();
    try {
      old.resume();
      await expect.poll(() => server(set, 'primary')).toMatchObject({ state: 'up', role: 'primary' });
      for (let attempt = 0; attempt < 5; attempt++) {
        expect(await read(set, 'b')).toBe('2');
        expect(await set.read(db => db.get('b'), { consistency: 'nearest' })).toBe('2');
      }
      expect(set.snapshot().primary).toBe(primary);
      const fresh = ReplicaSet.connect({
        servers: replication.servers(),
        authority: authority(),
        timeoutMs: 2_000,
      });
      // Who has just begun has only the Sentinels to ask
      await expect(fresh).rejects.toThrow(NoPrimaryError);
    } finally {
      for (const one of replication.sentinels) one.resume();
    }
  });

  it('does without a Sentinel that is dead or stands still, and goes on when it is back', async () => {
    const set = await connect();
    const [dead, silent] = replication.sentinels;
    await dead!.kill();
    silent!.pause();
    await set.write(db => db.set('a', '1'));
    await dead!.restart();
    silent!.resume();
    await replication.members.get('primary')!.kill();
    await isDown(set);
    await set.write(db => db.set('b', '2'));
    expect(set.snapshot().primary).toMatch(/^replica/);
  });

  it('believes most Sentinels, not the first that answers', async () => {
    const [first, ...others] = replication.sentinels;
    const client = new Redis(first!.url);
    for (const one of others) one.pause();
    try {
      // Set up anew, and wrongly
      await client.call('SENTINEL', 'REMOVE', replication.masterName);
      const { port } = replication.members.get('replica0')!;
      await client.call('SENTINEL', 'MONITOR', replication.masterName, '127.0.0.1', port, 2);
      // Each look at it is one command more; the others are those of the set
      let looks = 0;
      const asked = async () =>
        Number(/commands_processed:(\d+)/.exec(String(await client.info()))?.[1]) - ++looks;
      const before = await asked();
      const connecting = connect();
      await expect.poll(async () => (await asked()) - before).toBeGreaterThan(8);
      for (const one of others) one.resume();
      const set = await connecting;
      expect(set.snapshot().primary).toBe('primary');
      await set.write(db => db.set('a', '1'));
    } finally {
      client.disconnect();
      for (const one of others) one.resume();
    }
  });

  it('hands over on purpose without an error of the earlier primary (redis/redis-py 435, redis/ioredis 439, redis/lettuce 1296)', async () => {
    const set = await connect();
    const errors: unknown[] = [];
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await set
          .write(db => db.incr('n'))
          .catch(error => {
            if (error.outcome !== 'Unknown') errors.push(error);
          });
        await sleep(5);
      }
    })();
    const client = new Redis(replication.sentinels[0]!.url);
    try {
      await client.call('SENTINEL', 'FAILOVER', replication.masterName);
      await expect.poll(() => set.snapshot().primary, { timeout: 30_000 }).toMatch(/^replica/);
      await set.write(db => db.set('a', '1'));
    } finally {
      client.disconnect();
      isOver = true;
      await writing;
    }
    expect(errors).toEqual([]);
  });

  it('knows servers by themselves, not by the addresses that the Sentinels have of them', async () => {
    const ways = await Promise.all(
      [...replication.members].map(async ([id, { port }]) => ({
        id,
        way: await startTcpProxy({ target: port }),
      })),
    );
    try {
      const servers = ways.map(({ id, way }) => ({ id, connection: `redis://127.0.0.1:${way.port}` }));
      await using set = await ReplicaSet.connect({
        servers: redisServers({ servers, newClient }),
        authority: authority(),
        timeoutMs: 50_000,
      });
      expect(set.snapshot().primary).toBe('primary');
      await set.write(db => db.set('a', '1'));
      expect(await replication.tell('primary', 'GET', 'a')).toBe('1');
    } finally {
      for (const { way } of ways) await way.stop();
    }
  });

  it('has no switchover of its own, and changes nothing when it is asked for one', async () => {
    const set = await connect();
    await expect(set.switchover()).rejects.toThrow(InvalidOptionError);
    await expect(set.switchover()).rejects.toThrow(/the authority sentinel follows/);
    await set.write(db => db.set('a', '1'));
    expect(set.snapshot()).toMatchObject({ primary: 'primary', term: 0 });
  });

  it('says so when no Sentinel knows the name', async () => {
    const set = ReplicaSet.connect({
      servers: replication.servers(),
      authority: authority('another'),
      timeoutMs: 1_000,
    });
    await expect(set).rejects.toThrow(/no Sentinel answers: ERR No such master/);
  });
});

describe('the options of Sentinel', () => {
  it('are refused when they cannot be', () => {
    const wrong = {
      sentinels: ['redis://127.0.0.1:1'],
      name: 'x',
      newClient: (url: string) => new Redis(url),
    };
    expect(() => sentinel(wrong)).toThrow(InvalidOptionError);
    expect(() => sentinel(wrong)).toThrow(/without `lazyConnect`/);
  });
});

/** What is sent to a server that is about to die is Unknown, which is not the subject here. */
async function isDown(set: ReplicaSet<Redis>): Promise<void> {
  await expect.poll(() => server(set, 'primary')?.state).toBe('down');
}

function server(set: ReplicaSet<Redis>, id: string) {
  return set.snapshot().servers.find(each => each.id === id);
}
