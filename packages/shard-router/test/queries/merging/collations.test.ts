import { ReplicaSet } from '@ashlar/replica-failover';
import type { Executor } from '@ashlar/replica-failover/executor';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { memoryStore } from '@ashlar/store';
import pg from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CollationError, InvalidQueryError, memoryShards, ShardRouter } from '../../../src/index.ts';
import type { MissingShard } from '../../../src/queries/merging/scatter.ts';
import { readyRouter } from '../../support/ready-router.ts';
import { databases, shardNames } from '../databases.ts';

const tables = {
  people: {
    key: ['tenant'],
    primaryKey: ['tenant', 'name'],
    columns: { tenant: 'int8', name: 'text', town: 'text', age: 'int4' },
  },
  notes: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', text: 'text' },
  },
} as const;

const ddl = `CREATE COLLATION digits (provider = icu, locale = 'en-u-kn-true');
  CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
  CREATE COLLATION upper_first (provider = icu, locale = 'de-u-kf-upper');
  CREATE COLLATION code_points (provider = libc, locale = 'C.UTF-8');
  CREATE TABLE people (tenant int8, name text COLLATE "de-x-icu", town text COLLATE loose, age int4, PRIMARY KEY (tenant, name));
  CREATE INDEX ON people (name, tenant);
  CREATE TABLE notes (tenant int8, id int4, text text, PRIMARY KEY (tenant, id))`;
const collations = ['de-x-icu', 'digits', 'loose', 'code_points', 'default'];

const postgres = databases(ddl);
const tenants = 12;
const perTenant = 40;

// Texts that collations put in orders of their own, some of them equal to ICU though they are written otherwise
const texts = [
  '',
  ' a',
  'a',
  'A',
  'ä',
  'a\u0308',
  'Ä',
  'ae',
  'AE',
  'é',
  'e\u0301',
  'è',
  'z',
  'Z',
  'å',
  'ö',
  'o',
  'ß',
  'ss',
  'SS',
  'a-b',
  'ab',
  'a b',
  'item 9',
  'item 10',
  'Item 10',
  'item 010',
  '٣',
  '3',
  'я',
  'Я',
  'ё',
  '漢字',
  'かな',
  'カナ',
  'ｶﾅ',
  '\uffff',
  '😀',
  "it's",
  '"q"\\',
];

const rowsOf = (tenant: number) =>
  Array.from({ length: perTenant }, (_, i) => ({
    tenant,
    name: `${texts[i]}${i % 3 === 0 ? '' : texts[(tenant * 7 + i) % texts.length]}`,
    town: (tenant + i) % 9 === 0 ? null : texts[(tenant * 5 + i * 3) % texts.length]!,
    age: (tenant + i) % 3,
  })).filter(({ name }, i, all) => all.findIndex(each => each.name === name) === i);

type Shards = Readonly<Record<string, Executor<pg.Client>>>;

const opened = (shards: Shards = postgres.shards) =>
  readyRouter(store => new ShardRouter({ shards, store, key: 'int8', tables }));

beforeAll(async () => {
  const store = memoryStore();
  const router = new ShardRouter({ shards: postgres.shards, store, key: 'int8', tables });
  await router.ready();
  const whole = await postgres.client('whole');
  for (let tenant = 0; tenant < tenants; tenant++) {
    const rows = rowsOf(tenant);
    await router.table('people').insert(rows);
    await whole.query(
      'INSERT INTO people SELECT tenant, name, town, age FROM json_populate_recordset(NULL::people, $1)',
      [JSON.stringify(rows)],
    );
  }
  await router.close();
  await store.close();
});

interface Order {
  readonly column: 'name' | 'town' | 'age';
  readonly direction: 'asc' | 'desc';
  readonly nulls?: 'first' | 'last';
  readonly collation?: string;
}

/** What one database with all rows answers. */
async function answer(orders: readonly Order[], limit = 1_000_000): Promise<string[]> {
  const by = orders.map(({ column, direction, nulls, collation = 'C' }) => {
    const collated = column === 'age' ? column : `${column} COLLATE "${collation}"`;
    return `${collated} ${direction}${nulls === undefined ? '' : ` NULLS ${nulls}`}`;
  });
  const whole = await postgres.client('whole');
  const { rows } = await whole.query(
    `SELECT tenant, name FROM people ORDER BY ${[...by, 'tenant', 'name COLLATE "C"'].join(', ')} LIMIT ${limit}`,
  );
  return rows.map(({ tenant, name }) => `${tenant} ${name}`);
}

const shown = ({ tenant, name }: { readonly tenant: bigint; readonly name: string }) => `${tenant} ${name}`;

function queryOf(router: Awaited<ReturnType<typeof opened>>, orders: readonly Order[]) {
  let query = router.table('people').select('tenant', 'name').everywhere();
  for (const { column, ...how } of orders) query = query.orderBy(column, how);
  return query;
}

/** The shards, of which each statement is told before it is sent; it may throw, or return another. */
function watched(
  tell: (shard: string, text: string) => string | undefined,
  shards: Shards = postgres.shards,
): Shards {
  const through = (shard: string, work: (client: pg.Client) => Promise<unknown>) => (client: pg.Client) =>
    work({
      query: async (text: string, values?: unknown[]) => {
        return client.query(tell(shard, text) ?? text, values);
      },
    } as unknown as pg.Client);
  return Object.fromEntries(
    Object.entries(shards).map(([name, set]) => [
      name,
      {
        read: (work, scope) => set.read(through(name, work) as typeof work, scope),
        write: (work, scope) => set.write(through(name, work) as typeof work, scope),
        transaction: (work, scope) => set.transaction(through(name, work) as typeof work, scope),
      } satisfies Executor<pg.Client>,
    ]),
  );
}

const isRanking = (text: string) => text.includes('dense_rank');

describe('rows of several shards in a collation', () => {
  it.each(collations)('of %s are as one PostgreSQL has them', async collation => {
    const router = await opened();
    const orders: Order[][] = [
      [{ column: 'name', direction: 'asc', collation }],
      [
        { column: 'town', direction: 'desc', nulls: 'last', collation },
        { column: 'name', direction: 'asc', collation: 'digits' },
      ],
      [
        { column: 'age', direction: 'desc' },
        { column: 'town', direction: 'asc', nulls: 'first', collation },
        { column: 'name', direction: 'desc', collation },
      ],
    ];
    for (const order of orders) {
      const expected = await answer(order);
      expect((await queryOf(router, order).all()).map(shown)).toEqual(expected);
      expect((await queryOf(router, order).limit(50).all()).map(shown)).toEqual(expected.slice(0, 50));
      const streamed: string[] = [];
      for await (const row of queryOf(router, order).stream({ batchRows: 30 })) streamed.push(shown(row));
      expect(streamed).toEqual(expected);
    }
  });

  it('come in pages, also of texts that are equal to the collation', async () => {
    const router = await opened();
    for (const order of [
      [{ column: 'town', direction: 'asc', collation: 'loose' }],
      [{ column: 'name', direction: 'desc', collation: 'loose' }],
      [
        { column: 'town', direction: 'desc', collation: 'loose' },
        { column: 'name', direction: 'asc', collation: 'digits' },
      ],
    ] satisfies Order[][]) {
      const found: string[] = [];
      let after: string | undefined;
      do {
        const page = await queryOf(router, order).page({ size: 45, after });
        found.push(...page.rows.map(shown));
        after = page.next;
      } while (after !== undefined);
      expect(found).toEqual(await answer(order));
    }
    const { next } = await queryOf(router, [{ column: 'name', direction: 'asc', collation: 'loose' }]).page({
      size: 9,
    });
    const other = queryOf(router, [{ column: 'name', direction: 'asc', collation: 'digits' }]);
    await expect(other.page({ size: 9, after: next })).rejects.toThrow(InvalidQueryError);
  });

  it('are ranked once where each shard sends its rows at once, and once for a batch, and not at all for one shard', async () => {
    let count = 0;
    const router = await opened(
      watched((_, text) => {
        if (isRanking(text)) count++;
        return undefined;
      }),
    );
    const query = queryOf(router, [{ column: 'name', direction: 'asc', collation: 'de-x-icu' }]);
    await query.limit(20).all();
    expect(count).toBe(1);
    await query.where({ tenant: 3 }).all();
    expect(count).toBe(1);
    count = 0;
    let rows = 0;
    for await (const _ of query.stream({ batchRows: 50 })) rows++;
    // The last rows of each shard may be alone
    expect(count).toBeLessThanOrEqual(1 + Math.ceil(rows / 50) + 4);
    count = 0;
    await query
      .orderBy('town')
      .aggregate({ n: { count: '*' } })
      .groupBy('town')
      .all();
    expect(count).toBe(0);
  });

  it('are ranked by another shard where one fails', async () => {
    const asked = new Set<string>();
    const order: Order[] = [{ column: 'name', direction: 'asc', collation: 'digits' }];
    const router = await opened(
      watched((shard, text) => {
        if (!isRanking(text)) return undefined;
        asked.add(shard);
        if (asked.size < 3) throw new Error('out of memory');
        return undefined;
      }),
    );
    expect((await queryOf(router, order).limit(30).all()).map(shown)).toEqual(await answer(order, 30));
    expect(asked.size).toBe(3);
    const none = await opened(
      watched((_, text) => {
        if (isRanking(text)) throw new Error('out of memory');
        return undefined;
      }),
    );
    await expect(queryOf(none, order).all()).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_SHARD_FAILED',
      cause: { message: 'out of memory' },
    });
  });

  it('fail with what has failed where the ranking has spoilt the transaction of a shard', async () => {
    const router = await opened(
      watched((shard, text) =>
        shard === 'four' && isRanking(text) ? 'SELECT $2::text, 1 / (length($1::text) * 0)' : undefined,
      ),
    );
    const order: Order[] = [{ column: 'name', direction: 'asc', collation: 'de-x-icu' }];
    const streamed = async (onShardError: 'fail' | 'partial', missing: MissingShard[] = []) => {
      for await (const _ of queryOf(router, order).stream({ batchRows: 10, onShardError }, missing));
      return missing;
    };
    await expect(streamed('fail')).rejects.toMatchObject({ shard: 'four', cause: { code: '22012' } });
    expect(await streamed('partial')).toMatchObject([{ shard: 'four', error: { code: '22012' } }]);
    // Where each shard has sent all its rows, nothing of them is lost
    expect((await queryOf(router, order).limit(30).all()).map(shown)).toEqual(await answer(order, 30));
  });

  it('lack those of a shard that fails in the midst, and the others are in order', async () => {
    let fetched = 0;
    const router = await opened(
      watched((shard, text) => {
        if (shard === 'two' && text.startsWith('FETCH') && ++fetched > 3) throw new Error('gone');
        return undefined;
      }),
    );
    const order: Order[] = [{ column: 'name', direction: 'asc', collation: 'de-x-icu' }];
    const missing: MissingShard[] = [];
    const found: string[] = [];
    const query = queryOf(router, order).stream({ batchRows: 10, onShardError: 'partial' }, missing);
    for await (const row of query) found.push(shown(row));
    expect(missing.map(({ shard }) => shard)).toEqual(['two']);
    const isThere = new Set(found);
    expect(found).toEqual((await answer(order)).filter(each => isThere.has(each)));
    const others = (await answer(order)).filter(
      each => router.route(Number(each.split(' ')[0])).shard !== 'two',
    );
    expect(others.filter(each => !isThere.has(each))).toEqual([]);
  });

  it('stop at once when their reader does, or the signal, while a shard ranks', async () => {
    const stop = new AbortController();
    const router = await opened(
      watched((_, text) => {
        if (isRanking(text)) stop.abort(new Error('enough'));
        return undefined;
      }),
    );
    const query = queryOf(router, [{ column: 'name', direction: 'asc', collation: 'digits' }]);
    const streamed = async () => {
      for await (const _ of query.stream({ batchRows: 5, signal: stop.signal }));
    };
    await expect(streamed()).rejects.toThrow('enough');
    // The connections are free
    const router2 = await opened();
    for await (const _ of queryOf(router2, [{ column: 'name', direction: 'asc', collation: 'digits' }]))
      break;
    expect(await router2.table('people').select().everywhere().count()).toBeGreaterThan(0n);
  });
});

describe('streams in a collation over pools of one connection', () => {
  async function narrow() {
    const sets: Record<string, ReplicaSet<pg.Client>> = {};
    for (const name of shardNames) {
      const { host, port, user } = await postgres.client(name);
      const servers = postgresServers({
        servers: [{ id: name, connection: `postgres://${user}@${host}:${port}/${name}` }],
        newClient: (connectionString: string) => new pg.Client({ connectionString }),
      });
      const set = await ReplicaSet.connect({ name, servers, maxConnections: 1 });
      onTestFinished(() => set.close());
      sets[name] = set;
    }
    return opened(sets);
  }

  it('wait for one another, and rank on the connections that they have', async () => {
    const router = await narrow();
    const order: Order[] = [{ column: 'name', direction: 'asc', collation: 'upper_first' }];
    const expected = await answer(order);
    const streams = Array.from({ length: 4 }, async (_, i) => {
      const found: string[] = [];
      for await (const row of queryOf(router, order).stream({ batchRows: 20 + i })) found.push(shown(row));
      return found;
    });
    const lists = Array.from({ length: 4 }, async () =>
      (await queryOf(router, order).limit(100).all()).map(shown),
    );
    for (const found of await Promise.all(streams)) expect(found).toEqual(expected);
    for (const found of await Promise.all(lists)) expect(found).toEqual(expected.slice(0, 100));
  });

  it('look up in a collation what is more than a batch', async () => {
    const router = await narrow();
    const people = router.table('people').select('age', 'name', 'tenant').everywhere();
    const others = router.table('people').select('age', 'name').everywhere();
    const query = people
      .where('tenant', 'in', [1, 2, 3, 4, 5, 6])
      .orderBy('name', { collation: 'digits' })
      .lookup('same', others.orderBy('name', { collation: 'loose' }), { age: 'age' });
    const expected = (await answer([{ column: 'name', direction: 'asc', collation: 'loose' }])).map(each =>
      each.slice(each.indexOf(' ') + 1),
    );
    let count = 0;
    for await (const { same } of query.stream({ batchRows: 20 })) {
      if (count++ > 0) continue;
      const names = new Set(same.map(({ name }) => name));
      const { rows } = await (await postgres.client('whole')).query(
        `SELECT name FROM people WHERE age = ${same[0]!.age} ORDER BY name COLLATE loose, tenant, name COLLATE "C"`,
      );
      expect(same.map(({ name }) => name)).toEqual(rows.map(({ name }) => name));
      expect(same.length).toBeGreaterThan(120);
      expect(expected.filter(each => names.has(each)).length).toBeGreaterThan(0);
    }
    expect(count).toBeGreaterThan(150);
  });
});

describe('groups', () => {
  it('are in the order of a collation, and those of texts that it takes for equal are not one', async () => {
    const router = await opened();
    const query = router
      .table('people')
      .aggregate({ n: { count: '*' }, first: { min: 'name' } })
      .everywhere();
    const whole = await postgres.client('whole');
    for (const collation of ['loose', 'de-x-icu']) {
      const { rows } = await whole.query(
        `SELECT town COLLATE "C" AS town, count(*)::int AS n FROM people GROUP BY town COLLATE "C"
          ORDER BY min(town COLLATE "C") COLLATE "${collation}" DESC NULLS LAST, town COLLATE "C"`,
      );
      const found = await query
        .groupBy('town')
        .orderBy('town', { direction: 'desc', nulls: 'last', collation })
        .all();
      expect(found.map(({ town, n }) => [town, Number(n)])).toEqual(rows.map(({ town, n }) => [town, n]));
    }
    const firsts = await query.groupBy('age').orderBy('first', { collation: 'sv-x-icu' }).all();
    expect(firsts).toHaveLength(3);
    const missing = query.groupBy('age').orderBy('first', { collation: 'nowhere' });
    await expect(missing.all()).rejects.toThrow(CollationError);
  });
});

describe('a collation is refused', () => {
  const by = (router: Awaited<ReturnType<typeof opened>>, collation: string) =>
    queryOf(router, [{ column: 'name', direction: 'asc', collation }]);

  /** Until the end of the test. */
  async function on(shard: string, sql: string, undo: string): Promise<void> {
    const client = await postgres.client(shard);
    await client.query(sql);
    onTestFinished(async () => {
      await client.query(undo);
    });
  }

  it('that a shard has not', async () => {
    const router = await opened();
    await on('three', 'ALTER COLLATION digits RENAME TO gone', 'ALTER COLLATION gone RENAME TO digits');
    for (const run of [
      () => by(router, 'digits').all(),
      () => by(router, 'digits').limit(3).all(),
      () => by(router, 'digits').all({ onShardError: 'partial' }),
    ]) {
      const error = await run().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CollationError);
      expect((error as Error).message).toMatch(/digits is not on shard three: create it; .*COLLATE "C"/);
    }
    const { rows } = await (await postgres.client('three')).query('SELECT tenant FROM people LIMIT 1');
    const one = by(router, 'digits').where({ tenant: BigInt(rows[0].tenant) });
    await expect(one.all()).rejects.toThrow(CollationError);
    expect((await by(router, 'loose').limit(3).all()).length).toBe(3);
  });

  it('that is another on a shard: of another locale, or less strict', async () => {
    const router = await opened();
    for (const [name, other] of [
      ['digits', "locale = 'en'"],
      ['digits', "locale = 'en-u-kn-true', deterministic = false"],
      ['upper_first', "locale = 'de-u-kf-lower'"],
    ] as const) {
      const two = await postgres.client('two');
      await two.query(
        `ALTER COLLATION ${name} RENAME TO kept; CREATE COLLATION ${name} (provider = icu, ${other})`,
      );
      try {
        const error = await by(router, name)
          .limit(5)
          .all()
          .catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(CollationError);
        expect((error as Error).message).toMatch(/on shard two.* whose rows cannot be merged/);
      } finally {
        await two.query(`DROP COLLATION ${name}; ALTER COLLATION kept RENAME TO ${name}`);
      }
    }
    expect((await by(router, 'digits').limit(5).all()).length).toBe(5);
  });

  it('whose indexes are of another version than its server', async () => {
    const router = await opened();
    const version = (sql: string) =>
      `UPDATE pg_collation SET collversion = ${sql} WHERE collname = 'de-x-icu'`;
    await on('four', version("'1.2.3'"), version('pg_collation_actual_version(oid)'));
    await expect(by(router, 'de-x-icu').all()).rejects.toThrow(
      /de-x-icu has indexes of version 1\.2\.3 on shard four.*refresh the version/,
    );
    expect((await by(router, 'digits').limit(3).all()).length).toBe(3);
  });

  it('that another server of a shard has in another version', async () => {
    // Looks are those of one server, ranks of another
    const router = await opened(
      Object.fromEntries(
        Object.entries(postgres.shards).map(([name, set]) => [
          name,
          {
            read: (work, scope) =>
              set.read(
                client =>
                  work({
                    query: async (text: string, values?: unknown[]) => {
                      const result = await client.query(text, values);
                      if (!isRanking(text)) return result;
                      const [row] = result.rows;
                      const told = String(row.collations).replace(/"actual" : "[^"]*"/g, '"actual" : "9.9"');
                      return { ...result, rows: [{ ...row, collations: told }] };
                    },
                  } as unknown as pg.Client),
                scope,
              ),
            write: set.write.bind(set),
            transaction: set.transaction.bind(set),
          } satisfies Executor<pg.Client>,
        ]),
      ),
    );
    await expect(by(router, 'digits').limit(5).all()).rejects.toThrow(CollationError);
  });

  it('by shards in memory, of what is no text, and by a name that is none', async () => {
    const store = memoryStore();
    const router = new ShardRouter({ shards: memoryShards(['one', 'two']), store, key: 'int8', tables });
    onTestFinished(async () => {
      await router.close();
      await store.close();
    });
    await router.ready();
    for (let tenant = 0; tenant < 9; tenant++)
      await router.table('people').insert({ tenant, name: `n${tenant}`, town: 'x', age: 1 });
    const query = router.table('people').select('name');
    const refused = [
      () => query.orderBy('name', { collation: 'de-x-icu' }).everywhere().all(),
      () => query.orderBy('name', { collation: 'de-x-icu' }).everywhere().all({ onShardError: 'partial' }),
      () => query.where({ tenant: 1 }).orderBy('name', { collation: 'de-x-icu' }).all(),
      () =>
        router
          .table('people')
          .aggregate({ n: { count: '*' } })
          .groupBy('name')
          .orderBy('name', { collation: 'de-x-icu' })
          .everywhere()
          .all(),
    ];
    for (const run of refused)
      await expect(run()).rejects.toMatchObject({
        code: 'ASHLAR_SHARD_ROUTER_COLLATION',
        collation: 'de-x-icu',
        outcome: 'NotExecuted',
        retryable: false,
      });
    expect(() => query.orderBy('age', { collation: 'de-x-icu' })).toThrow(InvalidQueryError);
    for (const collation of ['', 'a"b', 'a\0', 'x'.repeat(64), 5])
      expect(() => query.orderBy('name', { collation: collation as string })).toThrow(InvalidQueryError);
    expect((await query.orderBy('name', { collation: 'C' }).everywhere().all()).length).toBe(9);
  });
});
