import type { Redis } from 'ioredis';
import type { ShardMap } from '../../src/map/shard-map.ts';
import { ownersOf } from '../../src/map/shard-map.ts';
import type { Tally } from '../fault.ts';
import { slotOf } from '../moving/owners.ts';
import type { Traffic } from '../moving/peers.ts';
import { customerName } from '../moving/roles.ts';
import { keyOf } from './keys.ts';

/** Each write is at the server that has its customer, once, and no key is at the other. */
export async function judge(
  servers: ReadonlyMap<string, Redis>,
  customers: number,
  map: ShardMap,
  traffic: readonly Traffic[],
  tally: Tally,
): Promise<void> {
  const owners = ownersOf(map);
  const there = new Map<string, ReadonlySet<string>>();
  const touched = new Set(traffic.flatMap(({ writes }) => writes.map(({ customer }) => customer)));
  for (const [name, redis] of servers) {
    const keys = await keysOf(redis);
    const foreign = keys.filter(key => owners[Number(/^\{shards:(\d+)\}/.exec(key)![1])] !== name);
    tally.twoPlaces += foreign.length;
    tally.expect(foreign.length === 0, `${foreign.length} keys are at ${name} too, as ${foreign[0]}`);
    const wanted = Array.from({ length: customers }, (_, n) => customerName(n)).filter(
      each => owners[slotOf(each)] === name,
    );
    const count = keys.filter(key => !key.includes('}:writes of ')).length;
    tally.expect(count === wanted.length, `${name} has ${count} of ${wanted.length} customers`);
    for (const customer of wanted) {
      if (!touched.has(customer)) continue;
      const ids = new Set(await redis.smembers(keyOf(`writes of ${customer}`, customer)));
      tally.duplicated += Math.max(0, Number(await redis.hget(keyOf(customer), 'n')) - ids.size);
      there.set(customer, ids);
    }
  }
  for (const { writes, remarks, stale } of traffic) {
    tally.operations += writes.length;
    tally.stale += stale;
    tally.remarks.push(...remarks);
    for (const { customer, id, outcome } of writes) {
      const isThere = there.get(customer)?.has(id) === true;
      if (outcome === 'Executed' && !isThere) tally.lost++;
      tally.expect(outcome !== 'NotExecuted' || !isThere, `${id} was told NotExecuted, and is there`);
    }
  }
}

/** A page at a time: KEYS of half a million would hold up what comes next. */
async function keysOf(redis: Redis): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', '{shards:*', 'COUNT', 1_000);
    for (const key of keys) found.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}
