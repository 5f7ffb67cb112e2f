import { memoryStore } from '@ashlar/store';
import { expect, it, onTestFinished } from 'vitest';
import { DuplicateRowError } from '../../src/errors/statements.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { memoryShards } from '../../src/memory/memory-shard.ts';
import { Mover } from '../../src/moves/mover.ts';
import { ShardRouter } from '../../src/router.ts';
import { tables as indexed } from '../indexes/users.ts';

const tables = {
  users: { ...indexed.users, columns: { ...indexed.users.columns, country: 'text' } },
} as const;
const references = { countries: { primaryKey: ['code'], columns: { code: 'text', name: 'text' } } } as const;

it('over slots that were joined: cursors from before, unique values, reference tables, transactions over shards', async () => {
  const store = memoryStore();
  const shards = memoryShards(['a', 'b', 'c']);
  const router = new ShardRouter({
    shards,
    store,
    key: 'text',
    slots: 4,
    tables,
    references,
    twoPhase: true,
  });
  const mover = new Mover({ store, tables, backend: memoryMoves({ shards }), steadyMs: 0 });
  onTestFinished(async () => {
    await mover.close();
    await router.close();
    await store.close();
  });
  await router.ready();
  const users = router.table('users');
  await router.reference('countries').insert({ code: 'at', name: 'Austria' });
  const tenants = Array.from({ length: 12 }, (_, n) => `t${String(n).padStart(2, '0')}`);
  for (const tenant of tenants)
    await users.insert({ tenant, id: 1, mail: `${tenant}@x`, town: 'Wien', seen: 1, country: 'at' });
  const moved = async (request: Parameters<typeof mover.move>[0]) => {
    for (const { id } of await mover.move(request)) await mover.finish(id);
  };
  const [key, home] = [tenants[5]!, router.route(tenants[5]!).shard];
  const before = router.route(key).slot;
  const query = users.select('tenant').everywhere().orderBy('tenant');
  const first = await query.page({ size: 4 });
  await moved({ kind: 'place', key, to: home === 'c' ? 'a' : 'c' });
  const second = await query.page({ size: 2, after: first.next! });
  // Opened while the key has a slot of its own, and read on when it has none
  const stream = query.stream()[Symbol.asyncIterator]();
  const seen = [(await stream.next()).value];
  await moved({ kind: 'place', key, to: home });
  await mover.begin({ kind: 'join', at: key });
  const joined = (await mover.map()).joins!.at(-1)!;
  await expect.poll(() => router.route(key).slot).toBe(joined.into);
  for (let next = await stream.next(); next.done !== true; next = await stream.next()) seen.push(next.value);
  expect(seen.map(each => each!.tenant)).toEqual(tenants);
  const third = await query.page({ size: 20, after: second.next! });
  expect([...first.rows, ...second.rows, ...third.rows].map(({ tenant }) => tenant)).toEqual(tenants);
  expect(router.explain(key)).toMatchObject({
    shard: home,
    words: expect.stringContaining(`slot ${joined.into} `),
  });
  expect(router.explain(key).words).not.toContain('alone');
  expect(before).not.toBe(joined.into);

  expect(await users.findBy('mail', { mail: `${key}@x` })).toMatchObject([{ tenant: key }]);
  await expect(
    users.insert({ tenant: 'new', id: 1, mail: `${key}@x`, town: null, seen: 1, country: null }),
  ).rejects.toThrow(DuplicateRowError);
  const pairs = await users
    .select('tenant', 'country')
    .where({ tenant: key })
    .join('of', router.reference('countries').select('code', 'name'), { country: 'code' })
    .all();
  expect(pairs).toMatchObject([{ tenant: key, of: { name: 'Austria' } }]);
  const other = tenants.find(tenant => router.route(tenant).shard !== home)!;
  await router.transaction(
    [key, other],
    async tx => {
      const [mine, its] = [`${other}@x`, `${key}@x`];
      await tx.table('users').update({ mail: null, seen: 2 }).where({ tenant: other, id: 1 }).run();
      await tx.table('users').update({ mail: mine, seen: 2 }).where({ tenant: key, id: 1 }).run();
      await tx.table('users').update({ mail: its }).where({ tenant: other, id: 1 }).run();
    },
    { twoPhase: true },
  );
  expect(await users.findBy('mail', { mail: `${key}@x` })).toMatchObject([{ tenant: other, seen: 2 }]);
  expect(await users.select().everywhere().where({ seen: 2 }).count()).toBe(2n);
  expect((await users.checkIndexes()).repaired).toEqual([]);
});
