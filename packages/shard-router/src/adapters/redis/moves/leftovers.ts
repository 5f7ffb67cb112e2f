import type { RedisCallsLike } from '../running.ts';
import type { RedisShard } from '../shard.ts';

/** What moves have left at a shard, but for those that are not over: in words. */
export function leftovers(
  { servers, names }: RedisShard,
  current: readonly string[],
): Promise<readonly string[]> {
  return servers.write(async redis => {
    const found = new Set<string>();
    const slots = await fieldsOf(redis, names.slots);
    for (const [slot, state] of slots) {
      const id = state.slice(2);
      if (slot !== 'seq' && !state.startsWith('g') && !current.includes(id))
        found.add(`slots of the move ${id}`);
    }
    for (const [name] of await fieldsOf(redis, names.moves)) {
      const [id = '', kind] = name.split(':');
      if (current.includes(id)) continue;
      if (kind === 'copied' || kind === 'cursor') found.add(`the copy of the move ${id}`);
      if (kind !== undefined) continue;
      for (const key of [names.dirty + id, names.touched + id])
        if (Number(await redis.call('EXISTS', key)) > 0) found.add(`the written keys of the move ${id}`);
    }
    return [...found].sort();
  });
}

async function fieldsOf(redis: RedisCallsLike, hash: string): Promise<[string, string][]> {
  const all = (await redis.call('HGETALL', hash)) as string[];
  return all.flatMap((field, i) => (i % 2 === 0 ? [[field, all[i + 1]!] as [string, string]] : []));
}
