import type { ShardMap } from '../../src/map/shard-map.ts';
import type { Tally } from '../fault.ts';
import { ownerOf } from '../moving/owners.ts';
import type { Traffic } from '../moving/peers.ts';

interface Asked {
  readonly servers: ReadonlyMap<string, unknown>;
  readonly customers: readonly string[];
  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  ask(name: string, statement: string): Promise<any[]>;
}

/** Each write is on the shard that has its customer, once, and nowhere else. */
export async function judge(
  shards: Asked,
  map: ShardMap,
  traffic: readonly Pick<Traffic, 'writes' | 'remarks' | 'stale'>[],
  tally: Tally,
): Promise<void> {
  const places = new Map<string, string[]>();
  const counters = new Map<string, number>();
  for (const name of shards.servers.keys()) {
    for (const { customer, id } of await shards.ask(
      name,
      "SELECT customer, id FROM purchase WHERE id <> 'first'",
    )) {
      const write = `${customer} ${id}`;
      places.set(write, [...(places.get(write) ?? []), name]);
      if (ownerOf(map, customer) === name) counters.set(customer, (counters.get(customer) ?? 0) + 1);
    }
    for (const { id, n } of await shards.ask(name, 'SELECT id, n::int FROM customer WHERE n > 0')) {
      const isOwner = ownerOf(map, id) === name;
      tally.expect(isOwner, `${id} is on ${name} too`);
      if (isOwner) tally.expect(n === counters.get(id), `${id} counts ${n} of ${counters.get(id)} purchases`);
    }
    const [{ count }] = (await shards.ask(name, 'SELECT count(*)::int FROM customer')) as [{ count: number }];
    const wanted = shards.customers.filter(each => ownerOf(map, each) === name).length;
    tally.expect(count === wanted, `${name} has ${count} of ${wanted} customers`);
  }
  for (const { writes, remarks, stale } of traffic) {
    tally.operations += writes.length;
    tally.stale += stale;
    tally.remarks.push(...remarks);
    for (const { customer, id, outcome } of writes) {
      const at = places.get(`${customer} ${id}`) ?? [];
      if (at.length > 1) tally.duplicated++;
      const isLost = outcome === 'Executed' && !at.includes(ownerOf(map, customer));
      if (isLost) tally.lost++;
      tally.expect(
        !isLost,
        `${id} of ${customer} was acknowledged, and is on ${at.join() || 'no shard'}, not on ${ownerOf(map, customer)}`,
      );
      tally.expect(outcome !== 'NotExecuted' || at.length === 0, `${id} was told NotExecuted, and is there`);
    }
  }
}
