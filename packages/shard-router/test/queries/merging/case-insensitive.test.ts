import { beforeAll, describe, expect, it } from 'vitest';
import { compareCodePoints } from '../../../src/columns/texts.ts';
import { databases, filled, opened } from '../databases.ts';

const tables = {
  people: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', name: 'text', code: 'text' },
  },
} as const;

const names = ['b', 'A', 'a1', 'B', 'Z', 'aa', 'AB', '_', 'É', 'é1', 'z1', 'ab1'];
const tenants = 12;

// Where the server comes without that extension, there is nothing to be asked of it
const postgres = databases(
  `DO $$ BEGIN CREATE EXTENSION citext; EXCEPTION WHEN OTHERS THEN CREATE DOMAIN citext AS text; END $$;
   CREATE TABLE people (tenant int8, id int4, name citext, code char(4), PRIMARY KEY (tenant, id))`,
);

const rows = Array.from({ length: tenants }, (_, tenant) =>
  names.map((name, i) => ({ tenant, id: i, name, code: names[(tenant + i) % names.length]! })),
).flat();
const byCodePoints = (column: 'name' | 'code') => rows.map(each => each[column]).sort(compareCodePoints);

describe('columns of types that put texts in orders of their own', () => {
  const all = async () => (await opened(postgres.shards, tables)).table('people');
  beforeAll(() =>
    filled(postgres.shards, tables, async router => {
      for (let tenant = 0; tenant < tenants; tenant++)
        await router.table('people').insert(rows.filter(each => each.tenant === tenant));
    }),
  );

  it.each(['name', 'code'] as const)(
    'are merged, paged through and streamed by code points: %s',
    async column => {
      const query = (await all()).select('tenant', column).orderBy(column).everywhere();
      const expected = byCodePoints(column);
      expect((await query.all()).map(each => each[column]?.trimEnd())).toEqual(expected);
      const streamed: unknown[] = [];
      for await (const each of query.stream({ batchRows: 5 })) streamed.push(each[column]?.trimEnd());
      expect(streamed).toEqual(expected);
      const paged: unknown[] = [];
      let after: string | undefined;
      for (let pages = 0; pages <= rows.length; pages++) {
        const page = await query.page({ size: 7, after });
        paged.push(...page.rows.map(each => each[column]?.trimEnd()));
        after = page.next;
        if (after === undefined) break;
      }
      expect(paged).toEqual(expected);
    },
  );

  it.each(['name', 'code'] as const)('are grouped and compared by code points: %s', async column => {
    const people = await all();
    const groups = await people
      .aggregate({ n: { count: '*' } })
      .groupBy(column)
      .everywhere()
      .all();
    const different = [...new Set(byCodePoints(column))];
    expect(groups.map(each => [each[column]?.trimEnd(), each.n])).toEqual(
      different.map(each => [each, BigInt(rows.filter(row => row[column] === each).length)]),
    );
    const [found] = await people
      .aggregate({ least: { min: column }, most: { max: column } })
      .everywhere()
      .all();
    expect([found!.least?.trimEnd(), found!.most?.trimEnd()]).toEqual([different[0], different.at(-1)]);
    const above = await people.select(column).where(column, '>', different[1]!).everywhere().count();
    expect(above).toBe(BigInt(rows.filter(row => compareCodePoints(row[column], different[1]!) > 0).length));
  });
});
