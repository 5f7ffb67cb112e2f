import { describe, expect, it } from 'vitest';
import { CrossShardError, WrongShardError } from '../../src/errors/routing.ts';
import { InvalidQueryError, PartlyExecutedError } from '../../src/errors/statements.ts';
import { oneShard, routerOf } from './shards.ts';

describe('the client of a Redis shard', () => {
  it('runs commands, several at once, scripts and transactions on the keys of a slot', async () => {
    const { shard, raw } = await oneShard();
    const router = await routerOf({ a: shard });
    const { slot } = router.route(7);
    const on = router.on(7);
    await on.write(db => db.call('SET', `${db.tag}cart`, 'full', 'PX', 60_000));
    expect(await raw.get(`{shards:${slot}}:cart`)).toBe('full');
    expect(await on.read(db => db.call('GET', `${db.tag}cart`))).toBe('full');
    expect(await on.read(db => db.callBuffer('GET', `${db.tag}cart`))).toEqual(Buffer.from('full'));
    const replies = await on.write(db =>
      db.multi([
        ['RPUSH', `${db.tag}list`, 'a', 'b'],
        ['LPUSH', `${db.tag}cart`, 'wrong type'],
        ['LRANGE', `${db.tag}list`, 0, -1],
        ['GET', `${db.tag}nothing`],
      ]),
    );
    expect(replies).toEqual([2, expect.objectContaining({ name: 'ReplyError' }), ['a', 'b'], null]);
    const script = "redis.call('INCRBY', KEYS[1], ARGV[1]) return redis.call('INCRBY', KEYS[1], ARGV[2])";
    expect(await on.write(db => db.eval(script, [`${db.tag}n`], [2, 3]))).toBe(5);
    expect(await on.read(db => db.eval("return redis.call('GET', KEYS[1])", [`${db.tag}n`]))).toBe('5');
    const said = await on.transaction(async db => {
      await db.call('INCR', `${db.tag}n`);
      expect(await raw.get(`{shards:${slot}}:n`)).toBe('5');
      return db.call('INCR', `${db.tag}n`);
    });
    expect(said).toBe('QUEUED');
    expect(await raw.get(`{shards:${slot}}:n`)).toBe('7');
  });

  it('refuses what could write elsewhere, before it is executed', async () => {
    const { shard, raw } = await oneShard();
    const router = await routerOf({ a: shard });
    const on = router.on(7);
    const other = `{shards:${(router.route(7).slot + 1) % 16}}:x`;
    const own = `{shards:${router.route(7).slot}}:`;
    for (const key of [other, 'x', '', `{shards:${router.route(7).slot}}x`]) {
      await expect(on.write(db => db.call('SET', key, '1'))).rejects.toThrow(CrossShardError);
      await expect(on.read(db => db.call('GET', key))).rejects.toThrow(CrossShardError);
      await expect(on.write(db => db.call('RENAME', `${db.tag}x`, key))).rejects.toThrow(CrossShardError);
      await expect(on.write(db => db.eval('return 1', [key]))).rejects.toThrow(CrossShardError);
      const two = on.write(db =>
        db.multi([
          ['SET', `${db.tag}x`, '1'],
          ['SET', key, '1'],
        ]),
      );
      await expect(two).rejects.toThrow(CrossShardError);
    }
    for (const command of [['FLUSHALL'], ['PING'], ['NONSENSE', 'x'], ['SET']] as [string, ...string[]][])
      await expect(on.write(db => db.call(...command))).rejects.toThrow(InvalidQueryError);
    // redisson/redisson#5903, redis/rueidis#595: a script has no room for more arguments
    const many = Array.from({ length: 7_000 }, (_, i) => i);
    await expect(on.write(db => db.call('SADD', `${own}set`, ...many))).rejects.toThrow(InvalidQueryError);
    expect(await on.write(db => db.call('SADD', `${own}set`, ...many.slice(0, 6_998)))).toBe(6_998);
    // Keys that no command names: of another database, or by a pattern
    for (const command of [
      ['MOVE', `${own}x`, '1'],
      ['copy', `${own}x`, `${own}y`, 'db', '1'],
      ['COPY', `${own}x`, `${own}y`, 'REPLACE', 'DB', '0'],
    ] as [string, ...string[]][])
      await expect(
        on.write(db => db.call(...command)),
        command.join(' '),
      ).rejects.toThrow(InvalidQueryError);
    await raw.rpush(`${own}list`, '2', '1');
    await raw.mset(`${own}weight_1`, '9', `${own}weight_2`, '3', 'weight_1', '1');
    for (const pattern of [
      ['BY', 'weight_*'],
      ['get', 'weight_*'],
      ['GET', `${other}_*->f`],
    ])
      for (const sort of ['SORT', 'sort_ro'])
        await expect(on.write(db => db.call(sort, `${own}list`, ...pattern))).rejects.toThrow(
          CrossShardError,
        );
    expect(await on.write(db => db.call('SORT', `${own}list`, 'BY', `${own}weight_*`, 'GET', '#'))).toEqual([
      '2',
      '1',
    ]);
    expect(await on.read(db => db.call('SORT_RO', `${own}list`, 'BY', 'nosort'))).toEqual(['2', '1']);
    expect(await on.write(db => db.call('COPY', `${own}list`, `${own}copy`))).toBe(1);
    // A read cannot write, and a shard itself knows no slot
    await expect(on.read(db => db.call('SET', `${db.tag}x`, '1'))).rejects.toThrow(/[Ww]rite commands/);
    await expect(shard.write(db => db.call('SET', '{shards:1}:x', '1'))).rejects.toThrow(CrossShardError);
    const several = router.transaction([7, 8, 9], async ({ client }) => client.call('SET', 'x', '1'));
    await expect(several).rejects.toThrow(CrossShardError);
    const failing = on.transaction(async db => {
      await db.call('SET', `${db.tag}s`, 'text');
      await db.call('LPUSH', `${db.tag}s`, 'wrong type');
    });
    await expect(failing).rejects.toThrow(PartlyExecutedError);
    const thrown = on.transaction(async db => {
      await db.call('SET', `${db.tag}t`, 'text');
      throw new Error('no');
    });
    await expect(thrown).rejects.toThrow('no');
    await raw.del(...['set', 'list', 'copy', 'weight_1', 'weight_2'].map(name => own + name));
    expect(await raw.keys('{shards:*')).toEqual([`{shards:${router.route(7).slot}}:s`]);
  });

  it('is refused by a closed slot whole, and reads pass', async () => {
    const { shard, raw } = await oneShard();
    const { slot } = (await routerOf({ a: shard })).route(7);
    const on = shard.ofSlots([slot]);
    await on.write(db => db.call('SET', `${db.tag}x`, '1'));
    await raw.hset('ashlar:shards:shards:slots', slot, 'c move');
    for (const command of [['SET', 'v'], ['DEL'], ['EXPIRE', 10], ['GETDEL'], ['APPEND', 'v']] as const) {
      const [name, ...args] = command;
      await expect(on.write(db => db.call(name, `${db.tag}x`, ...args))).rejects.toThrow(WrongShardError);
    }
    const mixed = on.write(db =>
      db.multi([
        ['GET', `${db.tag}x`],
        ['SET', `${db.tag}x`, '2'],
      ]),
    );
    await expect(mixed).rejects.toThrow(WrongShardError);
    await expect(on.write(db => db.eval("redis.call('SET', KEYS[1], 2)", [`${db.tag}x`]))).rejects.toThrow(
      WrongShardError,
    );
    await expect(on.transaction(db => db.call('SET', `${db.tag}x`, '2'))).rejects.toThrow(WrongShardError);
    expect(await on.write(db => db.call('GET', `${db.tag}x`))).toBe('1');
    expect(await on.read(db => db.eval("return redis.call('GET', KEYS[1])", [`${db.tag}x`]))).toBe('1');
  });

  it('notes what it writes while somebody follows, in the same instant', async () => {
    const { shard, raw } = await oneShard();
    const on = shard.ofSlots([5]);
    await raw.hset('ashlar:shards:shards:slots', 5, 'f move');
    await on.write(db => db.call('MSET', `${db.tag}a`, '1', `${db.tag}b`, '1'));
    await on.write(db => db.call('LMOVE', `${db.tag}from`, `${db.tag}to`, 'LEFT', 'LEFT'));
    await on.write(db => db.call('ZUNIONSTORE', `${db.tag}sum`, 1, `${db.tag}read`));
    await on.write(db => db.call('DEL', `${db.tag}a`));
    await on.write(db => db.call('GET', `${db.tag}read`));
    await on.write(db => db.eval('return 1', [`${db.tag}script`]));
    const dirty = await raw.hgetall('ashlar:shards:shards:dirty:move');
    const keys = Object.keys(dirty).map(key => key.slice('{shards:5}:'.length));
    expect(keys.sort()).toEqual(['a', 'b', 'from', 'script', 'sum', 'to']);
    expect(Number(dirty['{shards:5}:a'])).toBeGreaterThan(Number(dirty['{shards:5}:b']));
  });

  it('is out of reach for another user of the server, by the rules that the README has', async () => {
    const { shard, raw } = await oneShard();
    await raw.call('ACL', 'SETUSER', 'others', 'on', '>secret', '~others:*', '%R~*', '+@all', '-@dangerous');
    const others = raw.duplicate({
      username: 'others',
      password: 'secret',
      lazyConnect: true,
      enableReadyCheck: false,
    });
    try {
      await others.connect();
      await others.set('others:x', '1');
      await expect(others.set('{shards:5}:x', '1')).rejects.toThrow(/NOPERM/);
      await expect(others.hdel('ashlar:shards:shards:slots', '5')).rejects.toThrow(/NOPERM/);
      await expect(others.flushall()).rejects.toThrow(/NOPERM/);
      await shard.ofSlots([5]).write(db => db.call('SET', `${db.tag}x`, '1'));
      expect(await others.get('{shards:5}:x')).toBe('1');
    } finally {
      others.disconnect();
    }
  });
});
