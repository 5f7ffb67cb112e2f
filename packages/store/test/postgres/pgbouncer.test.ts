import { type Postgres, startPgBouncer, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { StoreUnavailableError } from '../../src/errors.ts';
import { bytes } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

/** Fewer connections than clients, so that statements of one client go through several. */
const config = 'default_pool_size = 3\nmax_client_conn = 100';

describeWith('pgbouncer', 'PostgreSQL behind PgBouncer in transaction mode', () => {
  let server: Postgres;
  let pooler: Awaited<ReturnType<typeof startPgBouncer>>;
  let pooled: string;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
    pooler = await startPgBouncer({ target: server.port, config });
    pooled = server.url.replace(`:${server.port}/`, `:${pooler.port}/`);
  });
  afterAll(async () => {
    await pooler?.stop();
    await server?.stop();
  });

  storeConformance(
    { describe, it },
    async () => {
      const tables = new Tables(server.url);
      const through = { connectionString: pooled, max: 4 };
      const make = () => tables.store({ timeoutMs: 20_000, prepare: false }, through);
      const store = make();
      await store.migrate();
      return {
        store,
        other: async () => make(),
        lose: async () => void (await tables.sql(`TRUNCATE ${tables.table}`)),
        [Symbol.asyncDispose]: () => tables[Symbol.asyncDispose](),
      };
    },
    { name: 'postgresStore through PgBouncer', features: { others: true, loses: true } },
  );

  /** Whether it keeps prepared statements, as from 1.21 on where it is told to. */
  async function keepsStatements(): Promise<boolean> {
    const console = new pg.Client(pooled.replace(/\/[^/]*$/, '/pgbouncer'));
    await console.connect();
    const { rows } = await console.query('SHOW CONFIG');
    await console.end();
    return rows.some(({ key, value }) => key === 'max_prepared_statements' && value !== '0');
  }

  it('says what to write where statements are prepared, and the PgBouncer does not keep them', async ({
    skip,
  }) => {
    skip(await keepsStatements(), 'this PgBouncer keeps them');
    const tables = ending(new Tables(server.url));
    await tables.store().migrate();
    const stores = [1, 2, 3, 4].map(() =>
      tables.store({ timeoutMs: 20_000 }, { connectionString: pooled, max: 4 }),
    );
    const failed: unknown[] = [];
    for (let i = 0; i < 20; i++) {
      const calls = stores.flatMap(store => [store.set('key', bytes('1')), store.get('key')]);
      for (const outcome of await Promise.allSettled<unknown>(calls)) {
        if (outcome.status === 'rejected') failed.push(outcome.reason);
      }
    }
    expect(failed.length).toBeGreaterThan(0);
    for (const error of failed) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(String(error)).toContain('behind PgBouncer, write `prepare: false`');
    }
  });
});
