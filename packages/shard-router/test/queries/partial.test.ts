import { beforeEach, describe, expect, it } from 'vitest';
import { InvalidQueryError, type MemoryShard, memoryShards, ShardRouter } from '../../src/index.ts';
import type { MissingShard } from '../../src/queries/merging/scatter.ts';
import { altered } from '../support/altered.ts';
import { readyRouter } from '../support/ready-router.ts';

const tables = {
  items: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', other: 'int8' },
  },
} as const;

const names = ['one', 'three', 'two'] as const;
const partial = { onShardError: 'partial' } as const;
const count = 30;

/** Rows of 30 tenants on three shards, of which some may be down. */
async function setUp() {
  const memory = memoryShards(names);
  const down = new Set<string>();
  const failing = (name: (typeof names)[number]) => {
    const read: MemoryShard['read'] = (work, scope) =>
      down.has(name) ? Promise.reject(new Error(`${name} is down`)) : memory[name].read(work, scope);
    return altered(memory[name], { read });
  };
  const shards = Object.fromEntries(names.map(name => [name, failing(name)]));
  const router = await readyRouter(store => new ShardRouter({ shards, store, key: 'int8', tables }));
  const items = router.table('items');
  for (let tenant = 0; tenant < count; tenant++)
    await items.insert({ tenant, id: tenant, other: (tenant * 7) % count });
  const on = (shard: string) => {
    const all = Array.from({ length: count }, (_, tenant) => tenant);
    return all.filter(tenant => router.route(tenant).shard === shard);
  };
  return { items, down, on, query: items.select().orderBy('id').everywhere() };
}

const shardsOf = (missing: readonly MissingShard[]) => missing.map(({ shard }) => shard);

describe('an answer that lacks shards', () => {
  let of: Awaited<ReturnType<typeof setUp>>;
  beforeEach(async () => {
    of = await setUp();
  });

  // vitessio/vitess#8139: a query was answered that no shard had answered
  it('is none when all shards fail, nor when the one that was asked does', async () => {
    const { items, down, query, on } = of;
    for (const name of names) down.add(name);
    await expect(query.all(partial)).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_SHARD_FAILED' });
    await expect(
      items
        .aggregate({ n: { count: '*' } })
        .everywhere()
        .all(partial),
    ).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_SHARD_FAILED' });
    await expect(
      items
        .select()
        .where({ tenant: on('two')[0]! })
        .all(partial),
    ).rejects.toThrow('two is down');
    down.delete('two');
    const found = await query.all(partial);
    expect(found.map(({ id }) => id)).toEqual(on('two'));
    expect(shardsOf(found.missing).sort()).toEqual(['one', 'three']);
  });

  it('says so also when what is looked up is all there', async () => {
    const { items, down, query, on } = of;
    down.add('one');
    const found = await query.lookup('same', items.select('tenant', 'id'), { tenant: 'tenant' }).all(partial);
    expect(found.map(({ id }) => id)).toEqual([...on('two'), ...on('three')].sort((a, b) => a - b));
    expect(shardsOf(found.missing)).toEqual(['one']);
    const missing: MissingShard[] = [];
    const streamed: number[] = [];
    const looked = query.lookup('same', items.select('tenant', 'id'), { tenant: 'tenant' });
    for await (const { id, same } of looked.stream({ ...partial, batchRows: 3 }, missing)) {
      expect(same).toHaveLength(1);
      streamed.push(id);
    }
    expect(streamed).toEqual(found.map(({ id }) => id));
    expect(shardsOf(missing)).toEqual(['one']);
  });

  it('goes on when the only shard fails that has what is looked up, and names it once', async () => {
    const { items, down, on } = of;
    const there = items.select('tenant', 'id').everywhere();
    const away = [...on('two'), ...on('three')].filter(tenant => on('one').includes((tenant * 7) % count));
    expect(away.length).toBeGreaterThan(0);
    down.add('one');
    const some = items.select().where('tenant', 'in', away);
    const looked = some
      .lookup('first', items.select('tenant', 'id'), { other: 'tenant' })
      .lookup('second', there, { other: 'tenant' });
    const found = await looked.all(partial);
    expect(found.map(({ first, second }) => [first, second])).toEqual(away.map(() => [[], []]));
    expect(shardsOf(found.missing)).toEqual(['one']);
    await expect(looked.all()).rejects.toThrow('one is down');
    const { rows, isPartial } = await looked.page({ size: count }, partial);
    expect([rows.length, shardsOf(rows.missing), isPartial]).toEqual([away.length, ['one'], true]);
  });

  it('says on all later pages that rows were passed over, which its own page has when it is asked again', async () => {
    const { items, down, query, on } = of;
    const size = 8;
    const first = await query.page({ size }, partial);
    expect([first.rows.map(({ id }) => id), first.isPartial]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], false]);
    down.add('one');
    const second = await query.page({ size, after: first.next }, partial);
    expect(second.rows.some(({ id }) => on('one').includes(id))).toBe(false);
    expect([second.isPartial, shardsOf(second.rows.missing)]).toEqual([true, ['one']]);
    down.delete('one');
    const seen = [...first.rows, ...second.rows].map(({ id }) => id);
    for (let page = second; page.next !== undefined; ) {
      page = await query.page({ size, after: page.next }, partial);
      expect([page.isPartial, page.rows.missing]).toEqual([true, []]);
      seen.push(...page.rows.map(({ id }) => id));
    }
    const lacking = on('one').filter(id => id > first.rows.at(-1)!.id && id < second.rows.at(-1)!.id);
    expect(lacking.length).toBeGreaterThan(0);
    const all = Array.from({ length: count }, (_, id) => id);
    expect(seen).toEqual(all.filter(id => !lacking.includes(id)));
    // Asked again, the page is whole, and so are those after it
    const again = [...first.rows].map(({ id }) => id);
    for (let page = first; page.next !== undefined; ) {
      page = await query.page({ size, after: page.next }, partial);
      expect(page.isPartial).toBe(false);
      again.push(...page.rows.map(({ id }) => id));
    }
    expect(again).toEqual(all);
    // What a look-up lacks is lacking on its page, too
    const before = on('two').find(tenant => on('one').includes((tenant * 7) % count))!;
    down.add('one');
    const looked = items
      .select()
      .where('tenant', 'in', [before, ...on('two')])
      .orderBy('id')
      .lookup('there', items.select('tenant'), { other: 'tenant' });
    const lacks = await looked.page({ size: on('two').indexOf(before) + 1 }, partial);
    expect([lacks.isPartial, shardsOf(lacks.rows.missing)]).toEqual([true, ['one']]);
    down.delete('one');
    expect(await looked.page({ size: 1, after: lacks.next! }, partial)).toMatchObject({ isPartial: true });
  });

  it('is refused where it has no room to say so', async () => {
    const { items, query } = of;
    const looked = query.lookup('same', items.select('tenant'), { tenant: 'tenant' });
    for (const refused of [
      () => query.count(partial),
      () => looked.count(partial),
      () => query.first(partial),
      () => query.stream(partial).next(),
      () => looked.stream(partial).next(),
    ])
      await expect(refused()).rejects.toThrow(InvalidQueryError);
    expect(await query.count({ onShardError: 'fail' })).toBe(BigInt(count));
    expect(await query.first({ onShardError: 'fail' })).toMatchObject({ id: 0 });
  });
});
