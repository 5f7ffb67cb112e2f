import type { Executor } from '@ashlar/replica-failover/executor';
import { eventually } from '@workspace/services';
import { describe, expect, it } from 'vitest';
import { type RedisCallsLike, RedisShard, redisMoves } from '../../src/adapters/redis.ts';
import { context, run, step } from '../../src/conformance/steps.ts';
import { oneShard } from '../redis/shards.ts';
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
