import { otherRedis, withOtherRedis } from '@workspace/services/versions';
import { expect, it } from 'vitest';
import { redisMoves } from '../../src/adapters/redis.ts';
import { backwards, context, run, step } from '../../src/conformance/steps.ts';
import { halfOf } from '../support/half.ts';
import { oneShard } from './shards.ts';

const move = halfOf({ key: 'int8', slots: 16, tables: {} });
const tag = '{shards:5}:';

it(
  'every type of value moves between two versions of Redis, or not at all, and comes back as a plan says',
  withOtherRedis,
  async () => {
    const [one, two] = [await oneShard(), await oneShard({ programs: otherRedis })];
    const moves = redisMoves({ shards: { one: one.shard, two: two.shard } });
    const many = Array.from({ length: 1_000 }, (_, i) => `member ${i}`);
    const { raw } = one;
    await raw.set(`${tag}string`, 'x', 'PX', 600_000);
    await raw.sadd(`${tag}set`, ...many);
    await raw.sadd(`${tag}few`, 'a', 'b');
    await raw.sadd(`${tag}numbers`, 1, 2);
    await raw.hset(`${tag}hash`, Object.fromEntries(many.map(each => [each, each])));
    await raw.hset(`${tag}pair`, 'a', '1', 'b', '2');
    await raw.zadd(
      `${tag}zset`,
      ...many.flatMap((each, i) => [String(i / 3), each]),
      '-inf',
      'first',
      1e300,
      'last',
    );
    await raw.rpush(`${tag}list`, ...many);
    for (let i = 0; i < 300; i++) void raw.xadd(`${tag}stream`, '*', 'field', `value ${i}`);
    await raw.xgroup('CREATE', `${tag}stream`, 'group', '0');
    await raw.xreadgroup('GROUP', 'group', 'consumer', 'COUNT', 5, 'STREAMS', `${tag}stream`, '>');
    await raw.pfadd(`${tag}hll`, ...many);

    const { obstacles, warnings } = await moves.plan(move, AbortSignal.timeout(60_000));
    if (obstacles.length > 0) {
      expect(obstacles).toMatchObject([{ kind: 'version', shard: 'two' }]);
      await expect(run(moves, move, { to: 'copy' })).rejects.toThrow(/DUMP payload version/);
      return;
    }
    await run(moves, move);
    expect(await two.raw.xinfo('GROUPS', `${tag}stream`)).toEqual(await raw.xinfo('GROUPS', `${tag}stream`));
    await two.shard.ofSlots([5]).write(db => db.call('XADD', `${tag}stream`, '*', 'field', 'later'));
    if (warnings.some(({ kind }) => kind === 'version')) {
      await expect(step(moves, backwards(move), 'lag')).rejects.toThrow(/DUMP payload version/);
      await moves.finish(move, context());
    } else {
      await run(moves, backwards(move), { from: 'lag' });
      expect(await raw.xlen(`${tag}stream`)).toBe(301);
    }
  },
);
