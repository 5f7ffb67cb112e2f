import type { Executor } from '@ashlar/replica-failover/executor';
import { eventually } from '@workspace/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RedisCallsLike, RedisShard, redisMoves } from '../../src/adapters/redis.ts';
import { context, run, step } from '../../src/conformance/steps.ts';
import { oneShard, shardOf } from '../redis/shards.ts';
import { altered } from '../support/altered.ts';
import { halfOf } from '../support/half.ts';

const move = halfOf({ key: 'int8', slots: 16, tables: {} });
const tag = '{shards:5}:';
const soon = { withinMs: 20_000 };

/** What users of tools that move keys between servers of Redis have reported, on ours. */
describe('a move between servers of Redis', () => {
  // redis#3655: of keys that moved together, some got the time to live of others
  it('gives no key the time to live of one that moves with it', async () => {
    const { one, two, moves } = await twoShards();
    for (let i = 0; i < 100; i++) {
      if (i % 3 === 0) await one.raw.set(tag + i, 'x', 'PX', 600_000 + i);
      else await one.raw.rpush(tag + i, 'x');
    }
    await run(moves, move);
    for (let i = 0; i < 100; i++) {
      const [is, was] = [two.raw, one.raw].map(raw => raw.call('PEXPIRETIME', tag + i));
      expect(await is, String(i)).toBe(await was);
    }
  });

  // RedisShake#244, RedisShake#981: what was prolonged while its first value was on the way was gone at the target
  it('brings over what is prolonged while its first value is on the way, and expires there', async () => {
    const [one, two] = [await oneShard(), await oneShard()];
    await one.raw.set(`${tag}session`, 'x', 'PX', 600_000);
    let isRead = false;
    const source = hooked(one.shard, async work => {
      if (!isRead) await one.raw.pexpire(`${tag}session`, 1_000);
      const result = await one.shard.servers.write(work);
      const [until, dump] = Array.isArray(result) ? result : [];
      if (!isRead && Buffer.isBuffer(dump)) {
        isRead = true;
        await one.shard.ofSlots([5]).write(db => db.call('SET', `${db.tag}session`, 'y', 'PX', 600_000));
        await eventually(async () => {
          const [seconds, micros] = (await two.raw.time()) as [number, number];
          expect(Number(seconds) * 1_000 + Number(micros) / 1_000).toBeGreaterThan(Number(until));
        }, soon);
      }
      return result;
    });
    const moves = redisMoves({ shards: { one: source, two: two.shard } });
    await run(moves, move);
    expect(isRead).toBe(true);
    expect(await two.raw.get(`${tag}session`)).toBe('y');
  });

  // redis#5154: keys that had expired were moved, and expired again
  it('moves nothing that has expired', async () => {
    const { one, two, moves } = await twoShards();
    await one.raw.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0').catch(() => {});
    await one.raw.set(`${tag}old`, 'x', 'PXAT', 1);
    await run(moves, move);
    expect(await two.raw.exists(`${tag}old`)).toBe(0);
    expect((await two.raw.info('stats')).match(/expired_keys:(\d+)/)?.[1]).toBe('0');
  });

  // redis#1765, redis#5271, redis#6999: "Target key name is busy" after an attempt that was interrupted
  it('is not stopped by what an interrupted attempt has left at the target', async () => {
    const { one, two, moves } = await twoShards();
    await one.raw.set(`${tag}x`, 'new');
    await two.raw.rpush(`${tag}x`, 'left');
    await two.raw.set(`${tag}gone`, 'left');
    await run(moves, move);
    expect(await two.raw.get(`${tag}x`)).toBe('new');
    expect(await two.raw.exists(`${tag}gone`)).toBe(0);
  });

  // redis#4627, redis#4937: keys that nobody can see stayed at a server after a migration that was given up
  it('leaves no hidden key at the target when it is given up after a restart', async () => {
    const { one, two, moves } = await twoShards({ appendonly: 'yes', appendfsync: 'always' });
    await one.raw.set(`${tag}x`, '1');
    await run(moves, move, { to: 'verify' });
    await two.server.restart();
    await moves.abort(move, context());
    await eventually(async () => expect(await two.raw.keys('{shards:*')).toEqual([]), soon);
    await one.shard.ofSlots([5]).write(db => db.call('SET', `${db.tag}x`, '2'));
  });

  // redis#6048 and others: keys that are no text, streams with groups, and values that each server keeps in its own way
  it('brings keys of any bytes and values of all kinds to a server with other limits, through clients that have numbers as texts', async () => {
    const one = await oneShard();
    const two = await oneShard({
      config: {
        'hash-max-listpack-entries': 1,
        'list-max-listpack-size': 1,
        'set-max-intset-entries': 1,
        'zset-max-listpack-entries': 1,
        'stream-node-max-entries': 1,
      },
    });
    const [source, target] = [
      await shardOf(one.server, { stringNumbers: true }),
      await shardOf(two.server, { stringNumbers: true }),
    ];
    onTestFinished(async () => {
      await source.close();
      await target.close();
    });
    const binary = Buffer.from([...Buffer.from(tag), 0, 255, 10, 13, 123, 125]);
    await one.raw.set(binary, Buffer.from([0, 255]));
    for (let i = 0; i < 20; i++) {
      await one.raw.hset(`${tag}hash`, `f${i}`, i);
      await one.raw.rpush(`${tag}list`, 'x'.repeat(i));
      await one.raw.sadd(`${tag}set`, i);
      await one.raw.zadd(`${tag}zset`, i / 3, `m${i}`);
      await one.raw.xadd(`${tag}stream`, '*', 'n', i);
    }
    await one.raw.setbit(`${tag}bits`, 1_000, 1);
    await one.raw.pfadd(`${tag}counted`, 'a', 'b', 'c');
    await one.raw.xgroup('CREATE', `${tag}stream`, 'g', '0');
    await one.raw.xreadgroup('GROUP', 'g', 'c', 'COUNT', 5, 'STREAMS', `${tag}stream`, '>');
    await one.raw.xtrim(`${tag}stream`, 'MAXLEN', 18);
    const moves = redisMoves({ shards: { one: source.shard, two: target.shard } });
    await run(moves, move, { to: 'copy' });
    await one.shard.ofSlots([5]).write(db => db.call('HSET', `${db.tag}hash`, 'f1', 'changed'));
    await one.shard.ofSlots([5]).write(db => db.call('XACK', `${db.tag}stream`, 'g', '0-1'));
    await one.shard.ofSlots([5]).write(db => db.call('APPEND', binary, Buffer.from([7])));
    await run(moves, move, { from: 'lag' });
    expect(await two.raw.getBuffer(binary)).toEqual(Buffer.from([0, 255, 7]));
    for (const [command, ...args] of [
      ['HGETALL', 'hash'],
      ['LRANGE', 'list', 0, -1],
      ['ZRANGE', 'zset', 0, -1, 'WITHSCORES'],
      ['XRANGE', 'stream', '-', '+'],
      ['XPENDING', 'stream', 'g'],
      ['GETBIT', 'bits', 1_000],
      ['PFCOUNT', 'counted'],
    ] as const) {
      const [key, ...rest] = args;
      const [is, was] = [two.raw, one.raw].map(raw => raw.call(command, tag + key, ...rest));
      const [left, right] = [await is, await was];
      if (command === 'HGETALL') expect(entriesOf(left)).toEqual(entriesOf(right));
      else expect(left, command).toEqual(right);
    }
    expect((await two.raw.smembers(`${tag}set`)).sort()).toEqual(
      (await one.raw.smembers(`${tag}set`)).sort(),
    );
    await moves.finish(move, context());
    expect(await one.raw.keys('{shards:*')).toEqual([]);
  });

  // redis#2969: the tool went on and gave the slot away though the target had refused a key
  it('stops when the target refuses a key, and the slot stays', async () => {
    const { one, two, moves } = await twoShards();
    await one.raw.set(`${tag}x`, '1');
    await step(moves, move, 'prepare');
    await two.raw.config('SET', 'maxmemory', '1');
    await expect(step(moves, move, 'copy')).rejects.toThrow(/OOM/);
    await one.shard.ofSlots([5]).write(db => db.call('SET', `${db.tag}x`, '2'));
    await two.raw.config('SET', 'maxmemory', '0');
    await eventually(() => run(moves, move), soon);
    expect(await two.raw.get(`${tag}x`)).toBe('2');
  });
});

function entriesOf(reply: unknown): readonly string[] {
  const all = reply as readonly string[];
  return all.flatMap((field, i) => (i % 2 === 0 ? [`${field} ${all[i + 1]}`] : [])).sort();
}

async function twoShards(config: Readonly<Record<string, string>> = {}) {
  const [one, two] = [await oneShard({ config }), await oneShard({ config })];
  return { one, two, moves: redisMoves({ shards: { one: one.shard, two: two.shard } }) };
}

type Write = Executor<RedisCallsLike>['write'];

/** The shard as the mover has it, with something between it and the server. */
function hooked(
  { servers }: RedisShard,
  write: (work: Parameters<Write>[0]) => Promise<unknown>,
): RedisShard {
  return new RedisShard(altered(servers, { write: write as Write }), 'shards');
}
