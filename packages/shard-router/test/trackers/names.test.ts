import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryShards, ShardRouter } from '../../src/index.ts';
import { databases } from '../queries/databases.ts';

const postgres = databases(
  `CREATE TABLE "order" (tenant int8, c0 int8, c1 int8, p0 int8, p0n int8, key int8, t int8, pairs int8, "constructor" text, "toString" text,
   PRIMARY KEY (tenant, c0))`,
);

/** Names that statements of the router have had for something else, a word of SQL, and names that every object has. */
const tables = {
  order: {
    key: ['tenant'],
    primaryKey: ['tenant', 'c0'],
    columns: {
      tenant: 'int8',
      c0: 'int8',
      c1: 'int8',
      p0: 'int8',
      p0n: 'int8',
      key: 'int8',
      t: 'int8',
      pairs: 'int8',
      constructor: 'text',
      toString: 'text',
    },
  },
} as const;

const numbers = Array.from({ length: 12 }, (_, n) => n + 1);

/** What users have reported of names that mean two things in a statement, on ours. */
describe.each(['memory', 'PostgreSQL'])('on %s, a table and its columns may have any name', kind => {
  const opened = async () => {
    const store = memoryStore();
    const memory = memoryShards(['one', 'two', 'three', 'four']);
    const shards = kind === 'memory' ? memory : (postgres.shards as unknown as typeof memory);
    const router = new ShardRouter({ shards, store, name: 'names', key: 'int8', tables });
    onTestFinished(async () => {
      await router.table('order').delete().everywhere().run();
      await router.close();
      await store.close();
    });
    await router.ready();
    return router.table('order');
  };
  const rowOf = (tenant: number, n: number) => ({
    ...{ tenant, c0: n, c1: -n, p0: n * 10, p0n: n % 3, key: n * 7, t: n, pairs: n },
    constructor: `Ferrari ${n}`,
    toString: 'text',
  });

  // vitessio/vitess#2110, apache/shardingsphere#5486, tursodatabase/turso#3281: an order by a name that a column and an output have
  it('in the order of rows, in pages, joins and groups', async () => {
    const orders = await opened();
    for (const tenant of numbers) for (const n of numbers) await orders.insert(rowOf(tenant, n));
    const all = orders.select('tenant', 'c0', 'c1').everywhere();
    for (const [column, sign] of [
      ['c0', 1],
      ['c1', -1],
      ['p0', 1],
      ['key', 1],
      ['t', 1],
      ['pairs', 1],
    ] as const) {
      const found = await all.orderBy(column).all();
      expect(found, column).toHaveLength(144);
      const wanted = sign === 1 ? numbers : numbers.toReversed();
      expect(
        found.map(({ c0 }) => Number(c0)),
        column,
      ).toEqual(wanted.flatMap(n => Array(12).fill(n)));
    }
    const seen: number[] = [];
    let after: string | undefined;
    do {
      const page = await all.orderBy('c1', 'desc').page({ size: 30, after });
      seen.push(...page.rows.map(({ c0 }) => Number(c0)));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(numbers.flatMap(n => Array(12).fill(n)));
    const pairs = all.join('j0', orders.select('tenant', 'c0', 't'), { tenant: 'tenant', c0: 'c0' });
    const joined = await pairs.orderBy('j0.t').all();
    expect(joined.map(({ j0 }) => Number(j0.t))).toEqual(numbers.flatMap(n => Array(12).fill(n)));
    const groups = await orders
      .aggregate({ c0: { count: '*' }, sum: { sum: 'c1' }, most: { max: 'constructor' } })
      .groupBy('p0', 'p0n')
      .everywhere()
      .all();
    expect(groups).toEqual(
      numbers.map(n => ({
        ...{ p0: BigInt(n * 10), p0n: BigInt(n % 3), c0: 12n, sum: String(-12 * n), most: `Ferrari ${n}` },
      })),
    );
  });

  // What an object inherits was taken for what it was given
  it('also those that every object has, of which nothing is taken for given', async () => {
    const orders = await opened();
    // TypeScript has such names in every object, and lets none be left out
    await orders.insert({ tenant: 1, c0: 1 } as never);
    await orders.insert([
      { tenant: 1, c0: 2, constructor: 'Ferrari' },
      { tenant: 1, c0: 3, toString: 'x' },
    ] as never);
    await orders.upsert({ tenant: 1, c0: 2, c1: 5 } as never);
    await orders
      .update({ constructor: 'Lotus' } as never)
      .where({ tenant: 1, c0: 3 } as never)
      .run();
    const found = await orders
      .select('c0', 'constructor', 'toString')
      .where({ tenant: 1 } as never)
      .orderBy('c0')
      .all();
    expect(found.map(row => [row.c0, row['constructor'], row['toString']])).toEqual([
      [1n, null, null],
      [2n, 'Ferrari', null],
      [3n, 'Lotus', 'x'],
    ]);
    expect(
      await orders
        .select('c0')
        .where({ tenant: 1, constructor: 'Lotus' } as never)
        .all(),
    ).toEqual([{ c0: 3n }]);
  });
});

// The database cuts a name off after 63 bytes, and two names become one
it('names that the database would cut off are refused, by their bytes', () => {
  const store = memoryStore();
  const open = (name: string, column: string) =>
    new ShardRouter({
      shards: memoryShards(['one']),
      store,
      key: 'text',
      tables: { [name]: { key: [column], primaryKey: [column], columns: { [column]: 'text' } } },
    });
  for (const fits of ['ü'.repeat(31), 'x'.repeat(63), `${'x'.repeat(63)}.${'ü'.repeat(31)}`])
    void open(fits, 'id').close();
  for (const long of ['ü'.repeat(32), 'x'.repeat(64), `shop.${'語'.repeat(22)}`])
    expect(() => open(long, 'id'), long).toThrow(InvalidOptionError);
  for (const long of ['ü'.repeat(32), 'x'.repeat(64)])
    expect(() => open('orders', long), long).toThrow(InvalidOptionError);
});
