import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { states } from '../../src/adapters/redis/moves/scripts.ts';
import { Side } from '../../src/adapters/redis/moves/side.ts';
import { type RedisMovesOptions, RedisShard, redisMoves } from '../../src/adapters/redis.ts';
import { backwards, context, run, step } from '../../src/conformance/steps.ts';
import { FenceBusyError, LostCopyError, MoveBlockedError } from '../../src/errors/moves.ts';
import { WrongShardError } from '../../src/errors/routing.ts';
import { altered } from '../support/altered.ts';
import { halfOf } from '../support/half.ts';
import { type OneShard, oneShard } from './shards.ts';

const move = halfOf({ key: 'int8', slots: 16, tables: {} });
const tag = '{shards:5}:';

const write = ({ shard }: OneShard, ...command: [string, ...(string | number | Buffer)[]]) =>
  shard.ofSlots([5]).write(db => db.call(...command));

/** WAIT waits for what its own connection has written, and so for all before it. */
async function replicated({ raw }: OneShard) {
  await raw.set('last', '1');
  expect(await raw.call('WAIT', 1, 10_000)).toBe(1);
}

async function twoShards(more: Partial<RedisMovesOptions> = {}) {
  const [one, two] = [await oneShard(), await oneShard()];
  return { one, two, moves: redisMoves({ shards: { one: one.shard, two: two.shard }, ...more }) };
}

describe('what moves between two servers of Redis', () => {
  it('is every type of value, large ones and any bytes, and expires when it did', async () => {
    const { one, two, moves } = await twoShards();
    const { raw } = one;
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const binary = Buffer.concat([Buffer.from(tag), bytes]);
    await raw.set(binary, bytes);
    const many = Array.from({ length: 3_000 }, (_, i) => `member ${i}`);
    await raw.sadd(`${tag}set`, ...many);
    await raw.hset(`${tag}hash`, Object.fromEntries(many.map(each => [each, each.repeat(3)])));
    await raw.zadd(`${tag}zset`, ...many.flatMap((each, i) => [String(i / 3), each]));
    await raw.rpush(`${tag}list`, ...many);
    await raw.xadd(`${tag}stream`, '*', 'field', 'value');
    await raw.xgroup('CREATE', `${tag}stream`, 'group', '0');
    await raw.pfadd(`${tag}hll`, ...many);
    await raw.set(`${tag}later`, 'x', 'PX', 100_000);
    const at = Number(await raw.call('PEXPIRETIME', `${tag}later`));
    await run(moves, move);
    expect(await two.raw.getBuffer(binary)).toEqual(bytes);
    expect(await two.raw.call('PEXPIRETIME', `${tag}later`)).toBe(at);
    expect((await two.raw.smembers(`${tag}set`)).sort()).toEqual([...many].sort());
    expect(await two.raw.hgetall(`${tag}hash`)).toEqual(await raw.hgetall(`${tag}hash`));
    expect(await two.raw.zrange(`${tag}zset`, '0', '-1', 'WITHSCORES')).toEqual(
      await raw.zrange(`${tag}zset`, '0', '-1', 'WITHSCORES'),
    );
    expect(await two.raw.lrange(`${tag}list`, 0, -1)).toEqual(many);
    expect(await two.raw.xinfo('GROUPS', `${tag}stream`)).toEqual(await raw.xinfo('GROUPS', `${tag}stream`));
    expect(await two.raw.pfcount(`${tag}hll`)).toBe(await raw.pfcount(`${tag}hll`));
  });

  it('is compared by what it has, however each server keeps it', async () => {
    const { one, two, moves } = await twoShards();
    await write(one, 'SET', `${tag}x`, '1');
    await run(moves, move, { to: 'copy' });
    // The same, packed otherwise: as a server of another version does
    await two.raw.config('SET', 'stream-node-max-entries', '1');
    await two.raw.config('SET', 'hash-max-listpack-entries', '0');
    for (const { raw } of [one, two]) {
      for (const n of [1, 2, 3]) await raw.xadd(`${tag}stream`, `1-${n}`, 'field', `value ${n}`);
      await raw.xdel(`${tag}stream`, '1-2');
      await raw.xgroup('CREATE', `${tag}stream`, 'group', '0', 'ENTRIESREAD', '0');
      await raw.xgroup('CREATECONSUMER', `${tag}stream`, 'group', 'consumer');
      await raw.hset(`${tag}hash`, 'a', '1', 'b', '2');
    }
    const differing = async () => {
      const { differences } = await moves.verify(move, context());
      return differences.flatMap(({ different }) => different);
    };
    expect(await differing()).toEqual([]);
    await two.raw.xreadgroup('GROUP', 'group', 'consumer', 'COUNT', 1, 'STREAMS', `${tag}stream`, '>');
    expect(await differing()).toEqual([JSON.stringify(`${tag}stream`)]);
    // Fields of a hash expire from Redis 7.4 and Valkey 9 on
    const expiry = await two.raw
      .call('HEXPIRE', `${tag}hash`, 1_000, 'FIELDS', 1, 'a')
      .catch(() => undefined);
    const names = expiry === undefined ? ['stream'] : ['stream', 'hash'];
    expect((await differing()).sort()).toEqual(names.map(name => JSON.stringify(tag + name)).sort());
  });

  it('may expire at the source, be persisted or get another time meanwhile', async () => {
    const { one, two, moves } = await twoShards();
    for (const name of ['gone', 'kept', 'longer']) await write(one, 'SET', tag + name, 'x', 'PX', 600_000);
    await run(moves, move, { to: 'verify' });
    await write(one, 'PEXPIREAT', `${tag}gone`, 1);
    await write(one, 'PERSIST', `${tag}kept`);
    await write(one, 'PEXPIREAT', `${tag}longer`, 4_000_000_000_000);
    await run(moves, move, { from: 'fence' });
    expect(await two.raw.exists(`${tag}gone`)).toBe(0);
    expect(await two.raw.ttl(`${tag}kept`)).toBe(-1);
    expect(await two.raw.call('PEXPIRETIME', `${tag}longer`)).toBe(4_000_000_000_000);
  });

  it('leaves keys of other slots, other maps and of nobody where they are', async () => {
    const { one, two, moves } = await twoShards();
    const others = ['x', '{shards:12}:x', '{shards2:5}:x', '{shards:5}x', '{shards:05x', 'shards:5}:x'];
    for (const key of [...others, `${tag}x`]) await one.raw.set(key, '1');
    await run(moves, move);
    await moves.finish(move, context());
    const own = (keys: string[]) => keys.filter(key => !key.startsWith('ashlar:')).sort();
    expect(own(await two.raw.keys('*'))).toEqual([`${tag}x`]);
    expect(own(await one.raw.keys('*'))).toEqual([...others].sort());
  });
});

describe('a move between two servers of Redis', () => {
  it('is caught up with writers that never pause', async () => {
    const [one, two] = [await oneShard(), await oneShard()];
    let calls = 0;
    const busy = altered(one.shard.servers, {
      write: async (work, scope) => {
        const result = await one.shard.servers.write(work, scope);
        calls++;
        await write(one, 'INCR', `${tag}busy`);
        return result;
      },
    });
    const moves = redisMoves({ shards: { one: new RedisShard(busy, 'shards'), two: two.shard } });
    await run(moves, move, { to: 'copy' });
    calls = 0;
    await moves.lag(move, context());
    expect(calls).toBeLessThan(5);
    await run(moves, move, { from: 'lag' }).catch((error: unknown) => {
      // From the fence on the writer is refused
      if (!(error instanceof WrongShardError)) throw error;
    });
  });

  it('goes on with a copy that its worker left in the midst', async () => {
    const { one, two, moves } = await twoShards();
    for (let i = 0; i < 5_000; i++) void one.raw.set(`${tag}${i}`, 'x');
    await one.raw.ping();
    await step(moves, move, 'prepare');
    const stop = new AbortController();
    const stopped = moves.copy(move, {
      ...context(),
      signal: stop.signal,
      progress: ({ rows }) => rows > 2_000 && stop.abort(new Error('killed')),
    });
    await expect(stopped).rejects.toThrow('killed');
    await write(one, 'DEL', `${tag}1`);
    let copied = 0;
    const progress = ({ rows }: { readonly rows: number }) => {
      copied = rows;
    };
    await redisMoves({ shards: { one: one.shard, two: two.shard } }).copy(move, { ...context(2n), progress });
    expect(copied).toBeLessThan(4_000);
    await run(moves, move, { from: 'lag', token: 2n });
    expect((await two.raw.keys(`${tag}*`)).length).toBe(4_999);
    expect(await two.raw.exists(`${tag}1`)).toBe(0);
  });

  it('starts its copy over when the source has failed over, and loses what the source has lost', async () => {
    const [one, two] = [await oneShard({ replicas: 1 }), await oneShard()];
    const moves = redisMoves({ shards: { one: one.shard, two: two.shard } });
    await write(one, 'SET', `${tag}kept`, 'x');
    await run(moves, move, { to: 'lag' });
    await replicated(one);
    const [replica] = one.server.replicas;
    const other = one.raw.duplicate({ port: replica!.port });
    onTestFinished(() => other.disconnect());
    // What the target has, and the new primary has not
    await other.replicaof('127.0.0.1', '1');
    await write(one, 'SET', `${tag}lost`, 'x');
    await write(one, 'DEL', `${tag}kept`);
    await run(moves, move, { from: 'lag', to: 'verify' });
    expect(await two.raw.exists(`${tag}lost`)).toBe(1);
    await one.server.kill();
    await other.replicaof('NO', 'ONE');
    for (const name of ['lag', 'fence', 'drain', 'recheck', 'turn'] as const)
      await expect(step(moves, move, name), name).rejects.toThrow(LostCopyError);
    await run(moves, move, { from: 'copy' });
    expect(await two.raw.exists(`${tag}kept`, `${tag}lost`)).toBe(1);
    expect(await two.raw.get(`${tag}kept`)).toBe('x');
  });

  it('is rolled back also when the new owner has failed over meanwhile', async () => {
    const [one, two] = [await oneShard(), await oneShard({ replicas: 1 })];
    const moves = redisMoves({ shards: { one: one.shard, two: two.shard } });
    await write(one, 'SET', `${tag}x`, '1');
    await run(moves, move);
    await write(two, 'SET', `${tag}x`, '2');
    await write(two, 'SET', `${tag}y`, '2');
    await replicated(two);
    const other = two.raw.duplicate({ port: two.server.replicas[0]!.port });
    onTestFinished(() => other.disconnect());
    await two.server.kill();
    await other.replicaof('NO', 'ONE');
    const back = backwards(move);
    await run(moves, back, { from: 'lag' });
    expect(await one.raw.mget(`${tag}x`, `${tag}y`)).toEqual(['2', '2']);
    await write(one, 'SET', `${tag}x`, '3');
    await moves.finish(back, context());
    expect(await other.exists(`${tag}x`)).toBe(0);
  });

  it('does not close a fence that the replicas have not got, since one of them may be promoted', async () => {
    const [one, two] = [await oneShard({ replicas: 1 }), await oneShard()];
    const moves = redisMoves({ shards: { one: one.shard, two: two.shard } });
    await run(moves, move, { to: 'verify' });
    const [replica] = one.server.replicas;
    replica!.signal('SIGSTOP');
    try {
      await expect(moves.fence(move, context(), 50)).rejects.toThrow(FenceBusyError);
      await write(one, 'SET', `${tag}x`, '1');
    } finally {
      replica!.signal('SIGCONT');
    }
    await run(moves, move, { from: 'lag' });
    await expect(write(one, 'SET', `${tag}x`, '2')).rejects.toThrow(WrongShardError);
  });

  it('is blocked by a value that is too large, and by a fence that somebody has opened', async () => {
    const { one, moves } = await twoShards({ maxValueBytes: 10_000 });
    await run(moves, move, { to: 'verify' });
    await write(one, 'SET', `${tag}big`, randomBytes(20_000));
    await expect(step(moves, move, 'lag')).rejects.toThrow(MoveBlockedError);
    await expect(moves.plan(move, AbortSignal.timeout(5_000))).resolves.toMatchObject({
      obstacles: [{ kind: 'big_value', shard: 'one' }],
    });
    await write(one, 'DEL', `${tag}big`);
    await run(moves, move, { from: 'lag', to: 'drain' });
    await one.raw.hdel('ashlar:shards:shards:slots', '5');
    await expect(step(moves, move, 'recheck')).rejects.toThrow(MoveBlockedError);
  });

  it('leaves a late command of an earlier step without effect', async () => {
    const [one, two] = [await oneShard(), await oneShard()];
    let isHeld = false;
    let late: (() => Promise<unknown>) | undefined;
    const holding = altered(one.shard.servers, {
      write: async (work, scope) => {
        if (!isHeld) return one.shard.servers.write(work, scope);
        late ??= () => one.shard.servers.write(work, scope);
        throw new Error('the answer is late');
      },
    });
    const shards = { one: new RedisShard(holding, 'shards'), two: two.shard };
    const moves = redisMoves({ shards });
    await run(moves, move, { to: 'verify' });
    const side = await Side.take(shards.one, 'one', move, context(), 'step');
    isHeld = true;
    await expect(side.run(states, 'c', 'fc', 'lost', ...side.slots)).rejects.toThrow('late');
    isHeld = false;
    await moves.unfence(move, context());
    await expect(late!()).rejects.toThrow(/STALE/);
    await write(one, 'SET', `${tag}x`, '1');
  });
});

const redis = (version: string) => `redis_version:${version}`;
const valkey = (version: string) => `redis_version:7.2.4\r\nvalkey_version:${version}`;

/** The shard, whose server says in INFO that it is of this version. */
function saying({ shard }: OneShard, version: string): RedisShard {
  const servers = altered(shard.servers, {
    write: (work, scope) =>
      shard.servers.write(
        redis =>
          work(
            altered(redis, {
              call: async (command, ...args) => {
                const reply = await redis.call(command, ...args);
                return command === 'INFO'
                  ? String(reply).replace(/^(?:redis|valkey)_version:.*$/gm, '') + version
                  : reply;
              },
            }),
          ),
        scope,
      ),
  });
  return new RedisShard(servers, 'shards');
}

describe('a plan of a move between two servers of Redis', () => {
  const plan = async (one: OneShard, two: OneShard, name?: string) => {
    const moves = redisMoves({ shards: { one: one.shard, two: two.shard } });
    const found = await moves.plan(
      name === undefined ? move : { ...move, router: name },
      AbortSignal.timeout(5_000),
    );
    return found.obstacles.map(({ kind, shard }) => `${shard}: ${kind}`);
  };

  it('says what stands in the way, and changes nothing', async () => {
    const one = await oneShard();
    const evicting = await oneShard({ config: { maxmemory: '50mb', 'maxmemory-policy': 'allkeys-lru' } });
    expect(await plan(one, evicting)).toEqual(['two: eviction']);
    expect(await plan(evicting, one)).toEqual(['one: eviction']);
    expect(await plan(one, one)).toEqual(['two: same_server']);
    expect(await plan(one, evicting, 'others')).toEqual(['one: name', 'two: name', 'two: eviction']);
    const full = await oneShard({ config: { maxmemory: '4mb' } });
    await one.raw.set(`${tag}x`, 'x'.repeat(4_000_000));
    expect(await plan(one, full)).toEqual(['two: memory']);
    for (const { raw } of [one, evicting]) expect(await raw.keys('ashlar:shards:*')).toEqual([]);
  });

  it('says which of the two servers cannot restore what the other dumps', async () => {
    const [one, two] = [await oneShard(), await oneShard()];
    for (const [first, second, there, back] of [
      [redis('7.0.3'), redis('7.0.15'), true, true],
      [redis('7.0.15'), redis('8.0.6'), true, false],
      [redis('7.2.0'), redis('7.0.15'), false, true],
      [redis('8.0.6'), redis('7.4.1'), false, true],
      [redis('7.0.15'), valkey('9.1.2'), true, false],
      [redis('8.0.6'), valkey('9.1.2'), false, false],
      [valkey('9.1.2'), redis('8.0.6'), false, false],
      [valkey('8.1.4'), redis('8.0.6'), true, false],
      [valkey('8.1.4'), redis('7.0.15'), false, true],
      [valkey('8.1.4'), valkey('9.1.2'), true, false],
      [valkey('9.1.2'), valkey('8.1.4'), false, true],
      [redis('6.2.1'), redis('6.2.1'), false, false],
    ] as const) {
      const shards = { one: saying(one, first), two: saying(two, second) };
      const { obstacles, warnings } = await redisMoves({ shards }).plan(move, AbortSignal.timeout(60_000));
      const of = `${first} and ${second}`;
      expect(
        obstacles.some(({ kind }) => kind === 'version'),
        of,
      ).toBe(!there);
      expect(
        warnings.some(({ kind }) => kind === 'version'),
        of,
      ).toBe(there && !back);
    }
  });
});
