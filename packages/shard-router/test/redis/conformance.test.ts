import { describe, it } from 'vitest';
import { slotOfKey } from '../../src/adapters/redis/names.ts';
import { redisMoves } from '../../src/adapters/redis.ts';
import { moveConformance } from '../../src/conformance.ts';
import { halfOf } from '../support/half.ts';
import { startShard } from './shards.ts';

const slots = 16;
const keys = Array.from({ length: 600 }, (_, i) => `{shards:${i % slots}}:key ${i}`);
const isMoved = (key: string) => slotOfKey({ prefix: '{shards:' }, key)! < slots / 2;

moveConformance(
  { describe, it },
  async () => {
    const [one, two] = [await startShard(), await startShard()];
    const all = { one, two } as const;
    const at = (shard: string) => all[shard as keyof typeof all];
    const put = (key: string, value: string | undefined) =>
      (value === undefined ? ['DEL', key] : ['SET', key, value]) as [string, ...string[]];
    return {
      move: halfOf({ key: 'int8', slots, tables: {} }),
      moved: keys.filter(isMoved),
      others: keys.filter(key => !isMoved(key)),
      backend: () => redisMoves({ shards: { one: one.shard, two: two.shard } }),
      async write(shard, key, value) {
        const slot = slotOfKey({ prefix: '{shards:' }, key)!;
        await at(shard)
          .shard.ofSlots([slot])
          .write(db => db.call(...put(key, value)));
      },
      async rows(shard) {
        const { raw } = at(shard);
        const found = await raw.keys('{shards:*');
        return Object.fromEntries(await Promise.all(found.map(async key => [key, await raw.get(key)])));
      },
      async damage(shard, key, value) {
        await at(shard).raw.call(...put(key, value));
      },
      async [Symbol.asyncDispose]() {
        for (const { stop } of [one, two]) await stop();
      },
    };
  },
  {
    name: 'Redis',
    skip: [
      'a shard refuses slots that are nobody’s, unless it has rows of them, until it is to have them again',
      'rows that a shard keeps and refuses are purged, unless it is to have them',
      'who closed or opened slots that were nobody’s before another changes nothing',
    ].map(test => ({
      test,
      reason: 'shards of Redis have no `retire`: entries of a directory over them stay',
    })),
  },
);
