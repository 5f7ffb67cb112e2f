import { withSession } from '@ashlar/replica-failover';
import { type Executor, Session } from '@ashlar/replica-failover/executor';
import { expect, it } from 'vitest';
import type { MemoryClient, MemoryShard } from '../src/memory/memory-shard.ts';
import { movingShards, noteOf, put, tables, tenantsOn } from './support/moving-shards.ts';

/** A shard with a replica that gets nothing: it answers what need not have been seen yet. */
function withReplica(primary: MemoryShard): Executor<MemoryClient> {
  const empty = { execute: async () => ({ rows: [], count: 0 }) };
  const position = () => ({ term: 1, offset: BigInt(primary.position) });
  return {
    async read(work, { session, consistency, ...scope } = {}) {
      const isOfSession = session !== undefined && (consistency === undefined || consistency === 'session');
      const has = isOfSession && session.position(primary.name) === undefined;
      if (has || typeof consistency === 'object') return work(empty);
      return primary.read(work, scope);
    },
    async write(work, { session, ...scope } = {}) {
      const result = await primary.write(work, scope);
      session?.advance(primary.name, position());
      return result;
    },
    async transaction(work, { session, ...scope } = {}) {
      const result = await primary.transaction(work, scope);
      session?.advance(primary.name, position());
      return result;
    },
  };
}

it('a session reads what it wrote before its rows moved, whatever replicas the new shard has', async () => {
  const { shards, router, mover } = await movingShards();
  const replicated = { a: withReplica(shards['a']!), b: withReplica(shards['b']!) };
  const one = await router({ shards: replicated, tables });
  const [tenant] = tenantsOn(one, 'a', 1) as [number];
  const session = new Session();
  await one.on(tenant).write(db => db.execute(put(tenant, 1)), { session });
  const serialized = session.serialize();
  const [moved] = await mover({ shards: replicated }).move({ kind: 'merge', shards: ['a'], into: 'b' });
  const later = await router({ shards: replicated, tables });
  for (const each of [one, later]) {
    const read = (scope: object) => each.on(tenant).read(db => noteOf(db, tenant), scope);
    const seen = new Session(serialized);
    expect(await read({ session: seen })).toBe('x');
    expect(await withSession(() => read({}), new Session(serialized))).toBe('x');
    // How old the rows are, no replica of the new shard knows
    expect(await read({ consistency: { maxStalenessMs: 60_000 } })).toBe('x');
    expect(await read({ consistency: { maxStalenessMs: 0 } })).toBeUndefined();
    const all = each.table('orders').select('note').everywhere();
    expect(await all.all({ session: new Session(serialized) })).toEqual([{ note: 'x' }]);
    // What the shard must have is not what the session has seen
    expect(seen.position('b')).toBeUndefined();
  }
  expect(moved).not.toHaveProperty('seen');
  expect(one.snapshot().map?.seen).toMatchObject({ b: [{ resource: 'b', term: 1 }] });
});
