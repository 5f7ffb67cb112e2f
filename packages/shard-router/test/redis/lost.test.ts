import { describe, expect, it } from 'vitest';
import { redisMoves } from '../../src/adapters/redis.ts';
import { context, run } from '../../src/conformance/steps.ts';
import { ShardFailedError } from '../../src/errors/statements.ts';
import { halfOf } from '../support/half.ts';
import { type OneShard, oneShard } from './shards.ts';

const move = halfOf({ key: 'int8', slots: 16, tables: {} });
const key = '{shards:5}:x';
const write = ({ shard }: OneShard, value: string) =>
  shard.ofSlots([5]).write(db => db.call('SET', key, value));

async function place() {
  const [one, two] = [await oneShard(), await oneShard()];
  const moves = redisMoves({ shards: { one: one.shard, two: two.shard } });
  await write(one, 'first');
  return { one, two, moves };
}

describe('a move between two servers of Redis of which one is lost for good', () => {
  it('is finished without its source, when somebody says so', async () => {
    const { one, two, moves } = await place();
    await run(moves, move);
    await one.server.kill();
    await expect(moves.finish(move, context())).rejects.toThrow(ShardFailedError);
    // vitess#9138: by then it may be out of the options too
    const without = redisMoves({ shards: { two: two.shard } });
    await expect(without.finish(move, context())).rejects.toThrow(ShardFailedError);
    await without.finish(move, { ...context(), lost: 'one' });
    await write(two, 'second');
    expect(await two.raw.get(key)).toBe('second');
    expect(await moves.leaks('two', [])).toEqual([]);
  });

  it('opens its source whatever the target does, and is undone without it, when somebody says so', async () => {
    const { one, two, moves } = await place();
    await run(moves, move, { to: 'fence' });
    await two.server.kill();
    await moves.unfence(move, context());
    await write(one, 'second');
    await expect(moves.abort(move, context())).rejects.toThrow(ShardFailedError);
    await write(one, 'third');
    await moves.abort(move, { ...context(), lost: 'two' });
    await write(one, 'fourth');
    expect(await one.raw.get(key)).toBe('fourth');
    expect(await moves.leaks('one', [])).toEqual([]);
  });
});
