import { memoryStore } from '@ashlar/store';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CrossShardError, InvalidShardKeyError, InvalidValueError, ShardRouter } from '../../src/index.ts';
import { databases, type shardNames } from '../queries/databases.ts';

/** Each shard writes numbers, times and bytes in another way. */
const settings: Readonly<Record<(typeof shardNames)[number], string>> = {
  one: "extra_float_digits = 0, TimeZone = 'America/New_York', DateStyle = 'SQL, DMY'",
  two: "extra_float_digits = -5, TimeZone = 'Asia/Kathmandu', DateStyle = 'German'",
  three: "extra_float_digits = 3, bytea_output = 'escape', standard_conforming_strings = off",
  four: "TimeZone = 'Pacific/Kiritimati', DateStyle = 'Postgres, MDY', IntervalStyle = 'sql_standard'",
};
const altering = Object.entries(settings).flatMap(([name, list]) =>
  list.split(/, (?=\w+ =)/).map(each => `('${name}', '${each.replaceAll("'", "''")}')`),
);

const postgres = databases(
  `CREATE TABLE readings (sensor int8, id int8, level float8, total int8, price numeric, at timestamptz, day date, label text, raw bytea, mark uuid,
   PRIMARY KEY (sensor, id));
   DO $$ DECLARE setting text; BEGIN
     FOR setting IN SELECT s FROM (VALUES ${altering.join(', ')}) v (d, s) WHERE d = current_database() LOOP
       EXECUTE format('ALTER DATABASE %I SET ', current_database()) || setting;
     END LOOP;
   END $$`,
);

const tables = {
  readings: {
    key: ['sensor'],
    primaryKey: ['sensor', 'id'],
    columns: {
      sensor: 'int8',
      id: 'int8',
      level: 'float8',
      total: 'int8',
      price: 'numeric',
      at: 'timestamptz',
      day: 'date',
      label: 'text',
      raw: 'bytea',
      mark: 'uuid',
    },
  },
} as const;

/** Above what a number of JavaScript tells from its neighbors. */
const large = 2n ** 53n;
const sensors = [0n, 1n, -1n, large, large + 1n, large + 2n, -large - 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const levelOf = (n: number) => 0.1 + n / 3;

/** What users have reported of values and keys on the way through routers and mergers, on ours. */
describe('values of shards whose sessions are set up otherwise', () => {
  const store = memoryStore();
  const open = () => new ShardRouter({ shards: postgres.shards, store, key: 'int8', tables });
  let router: ReturnType<typeof open>;
  const ends: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    router = open();
    ends.push(() => router.close());
    await router.ready();
    for (const [n, sensor] of sensors.entries())
      await router.table('readings').insert(
        Array.from({ length: 40 }, (_, i) => ({
          sensor,
          id: large + BigInt(i),
          level: levelOf(n),
          total: 2n ** 62n + BigInt(n),
          price: '0.10',
          at: new Date(Date.UTC(2026, 9, 25, 0, 30, 0, i)),
          day: '2026-01-02',
          label: `\\${i}'`,
          raw: Uint8Array.of(0, 92, 39, 255),
          mark: null,
        })),
      );
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    await store.close();
  });

  // brianc/node-postgres#730 (digits of a float8 that the session does not write), citusdata/citus#2040 (zones of the servers),
  // pgEdge/spock#587 (forms of times between sessions)
  it('are the same from each shard', async () => {
    expect(new Set(sensors.map(sensor => router.route(sensor).shard)).size).toBeGreaterThan(2);
    for (const [n, sensor] of sensors.entries()) {
      const row = await router.table('readings').get({ sensor, id: large + 7n });
      expect(row).toEqual({
        sensor,
        id: large + 7n,
        level: levelOf(n),
        total: 2n ** 62n + BigInt(n),
        price: '0.10',
        at: '2026-10-25T00:30:00.007000Z',
        day: '2026-01-02',
        label: "\\7'",
        raw: Uint8Array.of(0, 92, 39, 255),
        mark: null,
      });
    }
    for (const level of [-0, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE]) {
      const where = { sensor: 0, id: 1 };
      await router.table('readings').upsert({ ...where, level });
      expect((await router.table('readings').get(where))!.level).toBe(level);
      await router.table('readings').delete().where(where).run();
    }
  });

  it('are found by what was returned, merged in one order, and paged through once', async () => {
    const all = router.table('readings').select('sensor', 'id', 'level').everywhere();
    for (const [n, sensor] of sensors.entries()) {
      const [first] = await all.where({ sensor }).limit(1).all();
      expect(await all.where({ level: first!.level! }).count()).toBe(40n);
      expect(first!.level).toBe(levelOf(n));
    }
    const seen: bigint[] = [];
    let after: string | undefined;
    // A cursor that stands before its own row would come again and again
    for (let pages = 0; pages < 40; pages++) {
      const page = await all.orderBy('level', 'desc').page({ size: 37, after });
      seen.push(...page.rows.map(({ sensor }) => sensor));
      after = page.next;
      if (after === undefined) break;
    }
    expect(seen).toEqual(sensors.toReversed().flatMap(sensor => Array<bigint>(40).fill(sensor)));
  });

  // vitessio/vitess#12540, matrixorigin/matrixone#25485, apache/doris#29715, vitessio/vitess#15625, prisma/orm#29930
  it('add up beyond 64 bits, and a mean is that of all rows', async () => {
    const query = router.table('readings').aggregate({
      n: { count: '*' },
      sum: { sum: 'total' },
      mean: { avg: 'total' },
      price: { sum: 'price' },
      level: { sum: 'level' },
      most: { max: 'level' },
    });
    const n = BigInt(sensors.length);
    const totals = 40n * (n * 2n ** 62n + (n * (n - 1n)) / 2n);
    const [found] = await query.everywhere().all();
    expect(found).toMatchObject({
      n: 40n * n,
      sum: String(totals),
      mean: String(2n ** 62n + (n - 1n) / 2n),
      price: '36.00',
      most: levelOf(sensors.length - 1),
    });
    const levels = sensors.reduce((sum, _, at) => sum + 40 * levelOf(at), 0);
    expect(Math.abs(found!.level! / levels - 1)).toBeLessThan(1e-12);
    // Of a condition that leaves rows of one shard alone
    const [one] = await query.where('level', '=', levelOf(3)).everywhere().all();
    expect(one).toMatchObject({ n: 40n, sum: String(40n * (2n ** 62n + 3n)), mean: String(2n ** 62n + 3n) });
  });

  // drizzle-team/drizzle-orm#4891 and #4380, prisma/orm#7395 (keys that a number cannot hold), apache/shardingsphere#22357 (negative ones),
  // session-replay-tools/cetus#38 (ranges beyond 32 bits)
  it('with keys beyond 2^53, and below 0, are told from their neighbors', async () => {
    const client = await postgres.client('one');
    for (const sensor of sensors) {
      const { slot } = router.route(sensor);
      const { sql } = router.explain(sensor);
      const { rows } = await client.query(`SELECT ${sql} AS slot`, [String(sensor)]);
      expect(Number(rows[0].slot)).toBe(slot);
      expect(await router.table('readings').select('sensor').where({ sensor }).limit(1).all()).toEqual([
        { sensor },
      ]);
    }
    for (const near of [large + 3n, -large, 2n ** 63n - 2n])
      expect(await router.table('readings').select().where({ sensor: near }).all()).toEqual([]);
    for (const unsafe of [Number(large), Number(2n ** 63n), 2n ** 63n, 1.5, '1', null]) {
      expect(() => router.route(unsafe as never)).toThrow(InvalidShardKeyError);
      const asked = async () =>
        router
          .table('readings')
          .select()
          .where({ sensor: unsafe as never })
          .all();
      await expect(asked(), String(unsafe)).rejects.toThrow(
        unsafe === null ? CrossShardError : InvalidValueError,
      );
    }
  });
});

describe('rows of PostgreSQL', () => {
  it('that are there already are told by an error of their own, which leaves them as they are', async () => {
    const store = memoryStore();
    const router = new ShardRouter({
      shards: postgres.shards,
      store,
      name: 'duplicates',
      key: 'int8',
      tables,
    });
    await router.ready();
    try {
      const readings = router.table('readings');
      const row = { sensor: 99, id: 1, label: 'first' };
      await readings.insert(row);
      const again = { ...row, label: 'second' };
      const duplicate = {
        code: 'ASHLAR_SHARD_ROUTER_DUPLICATE_ROW',
        retryable: false,
        message: expect.stringContaining('(sensor, id)=(99, 1)'),
        cause: expect.objectContaining({ code: '23505' }),
      };
      await expect(readings.insert(again)).rejects.toMatchObject(duplicate);
      await expect(readings.insert([{ ...again, id: 2 }, again])).rejects.toMatchObject(duplicate);
      const working = router.transaction(99n, async tx => {
        await tx.table('readings').insert({ ...again, id: 3 });
        await tx.table('readings').insert(again);
      });
      await expect(working).rejects.toMatchObject(duplicate);
      expect(await readings.select('id', 'label').where({ sensor: 99 }).all()).toEqual([
        { id: 1n, label: 'first' },
      ]);
      await readings.delete().where({ sensor: 99 }).run();
    } finally {
      await router.close();
      await store.close();
    }
  });
});

describe('keys of each type', () => {
  // pg-sharding/spqr#2588, pgdogdev/pgdog#624: keys that the router and the database did not see in one form
  it('are in the slot of the database in whatever form they are given', async () => {
    const client: pg.Client = await postgres.client('one');
    const store = memoryStore();
    const forms = [
      ['uuid', ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
      ['text', ['é', 'e\u0301', ' x', 'x', 'X', '\u{1f600}', '']],
      ['int8', [7, 7n, -7n, large]],
    ] as const;
    for (const [key, keys] of forms) {
      const router = new ShardRouter({ shards: postgres.shards, store, name: key, key });
      await router.ready();
      const hash = { uuid: 'uuid_hash_extended', text: 'hashtextextended', int8: 'hashint8extended' }[key];
      for (const each of keys) {
        const { rows } = await client.query(`SELECT ${hash}($1::${key}, 0) & 1023 AS slot`, [String(each)]);
        expect(router.route(each as never).slot, String(each)).toBe(Number(rows[0].slot));
      }
      await router.close();
    }
    await store.close();
  });
});
