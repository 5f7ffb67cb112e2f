import { InvalidOptionError, seededRandom } from '@ashlar/core';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fencedUpdate, sqlFence } from '../../src/adapters/postgres.ts';
import { Lease } from '../../src/index.ts';
import { StaleTokenError } from '../../src/leases/fencing.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

describeWith('postgres', 'a fence in SQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  /** A table of counters with one row, `a`. */
  async function counters(): Promise<Tables> {
    const tables = ending(new Tables(server.url));
    await tables.sql(`CREATE TABLE ${tables.table}
      (id text PRIMARY KEY, count int NOT NULL, fence_token bigint, fence_holder text)`);
    await tables.sql(`INSERT INTO ${tables.table} VALUES ('a', 0)`);
    return tables;
  }

  const countOf = async (tables: Tables) =>
    (await tables.sql(`SELECT count FROM ${tables.table}`))[0]!['count'];

  it('refuses an older token, and an equal one of another holder', async () => {
    const tables = await counters();
    const write = (count: number, token: bigint, holder: string) =>
      fencedUpdate(
        tables.admin,
        { table: tables.table, key: { id: 'a' }, set: { count } },
        { token, holder },
      );
    expect(await write(1, 5n, 'x')).toBe(true);
    expect(await write(2, 5n, 'x')).toBe(true);
    const older = await write(3, 4n, 'x').catch((error: unknown) => error);
    expect(older).toBeInstanceOf(StaleTokenError);
    expect(older).toMatchObject({
      presented: { token: 4n, holder: 'x' },
      seen: { token: 5n, holder: 'x' },
      outcome: 'NotExecuted',
    });
    await expect(write(4, 5n, 'y')).rejects.toThrow(StaleTokenError);
    expect(await countOf(tables)).toBe(2);
    expect(await write(5, 2n ** 53n, 'y')).toBe(true);
    expect(await countOf(tables)).toBe(5);
    expect(
      await fencedUpdate(
        tables.admin,
        { table: tables.table, key: { id: 'none' }, set: { count: 1 } },
        { token: 9n, holder: 'x' },
      ),
    ).toBe(false);
  });

  it('refuses what its columns cannot hold, before anything is sent', async () => {
    const tables = await counters();
    const row = { table: tables.table, key: { id: 'a' }, set: { count: 1 } };
    for (const [presented, option] of [
      [{ token: 1n, holder: 'a\0' }, 'lease.holder'],
      [{ token: 2n ** 63n, holder: 'a' }, 'lease.token'],
      [{ token: -(2n ** 63n) - 1n, holder: 'a' }, 'lease.token'],
    ] as const) {
      const error: unknown = await fencedUpdate(tables.admin, row, presented).catch(
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(InvalidOptionError);
      expect(error).toMatchObject({ option });
      expect(() => sqlFence(presented, { from: 1 })).toThrow(InvalidOptionError);
    }
    expect(await fencedUpdate(tables.admin, row, { token: 2n ** 63n - 1n, holder: '\ud83d' })).toBe(true);
  });

  it('is part of a statement of one’s own, also one that inserts', async () => {
    const tables = await counters();
    const put = async (id: string, count: number, token: bigint, holder: string) => {
      const fence = sqlFence({ token, holder }, { from: 3, table: tables.table });
      const rows = await tables.sql(
        `INSERT INTO ${tables.table} (id, count, fence_token, fence_holder) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET count = excluded.count, ${fence.set} WHERE ${fence.where} RETURNING 1`,
        [id, count, ...fence.values],
      );
      return rows.length === 1;
    };
    expect(await put('b', 1, 5n, 'x')).toBe(true);
    expect(await put('b', 2, 4n, 'x')).toBe(false);
    expect(await put('b', 3, 5n, 'y')).toBe(false);
    expect(await put('b', 4, 6n, 'y')).toBe(true);
    expect(await put('a', 5, 1n, 'x')).toBe(true);
  });

  it('takes names that must be quoted, and other columns', async () => {
    const tables = await counters();
    await tables.sql(
      `ALTER TABLE ${tables.table} ADD "the ""Token""" bigint, ADD "Holder; --" text, ADD "Count" int`,
    );
    const columns = { token: 'the "Token"', holder: 'Holder; --' };
    const row = { table: `public.${tables.table}`, key: { id: 'a' }, set: { Count: 7 }, columns };
    expect(await fencedUpdate(tables.admin, row, { token: 1n, holder: "x'" })).toBe(true);
    await expect(fencedUpdate(tables.admin, row, { token: 1n, holder: 'x' })).rejects.toThrow(
      StaleTokenError,
    );
  });

  it('lets tokens of many writers at once only grow', async () => {
    const tables = await counters();
    tables.admin.options.max = 6;
    const random = seededRandom(9);
    const admitted: bigint[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let i = 0; i < 40; i++) {
          const token = BigInt(Math.floor(random() * 200));
          const set = { count: Number(token) };
          const write = { table: tables.table, key: { id: 'a' }, set };
          await fencedUpdate(tables.admin, write, { token, holder: `holder ${token}` }).then(
            () => admitted.push(token),
            error => expect(error).toBeInstanceOf(StaleTokenError),
          );
        }
      }),
    );
    const greatest = admitted.reduce((a, b) => (a > b ? a : b));
    expect(await countOf(tables)).toBe(Number(greatest));
  });

  it('takes a lease, and says above which token to acquire again', async () => {
    const tables = await counters();
    const state = ending(new Tables(server.url));
    const store = state.store();
    await store.migrate();
    const write = (lease: Lease, count: number) =>
      fencedUpdate(tables.admin, { table: tables.table, key: { id: 'a' }, set: { count } }, lease);
    await using first = await Lease.acquire(store, 'counter', { ttlMs: 10_000 });
    const hourUs = 3_600_000_000n;
    const future = first.token + hourUs;
    await tables.sql(`UPDATE ${tables.table} SET fence_token = ${future}, fence_holder = 'lost history'`);
    const refused = await write(first, 1).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StaleTokenError);
    await first.release();
    const above = (refused as StaleTokenError).seen.token;
    await using second = await Lease.acquire(store, 'counter', { ttlMs: 10_000, above });
    expect(second.token).toBeGreaterThan(future);
    expect(await write(second, 2)).toBe(true);
  });

  it('has checked options', () => {
    const token = { token: 1n, holder: 'x' };
    expect(() => sqlFence(token, { from: 0 })).toThrow(InvalidOptionError);
    expect(() => sqlFence(token, { from: 1, tabel: 'x' } as never)).toThrow(InvalidOptionError);
  });
});
