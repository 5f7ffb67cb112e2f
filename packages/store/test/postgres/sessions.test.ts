import { type Postgres, startPostgres, startSuddenEnd } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import { bytes } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

describeWith({ own: 'postgres' }, 'sessions of PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  it('that end as they begin fail the call, and never the process', async () => {
    const tables = ending(new Tables(server.url));
    await tables.store().migrate();
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.on('uncaughtException', note);
    onTestFinished(() => void process.off('uncaughtException', note));
    const { port } = ending(await startSuddenEnd(server.port));
    const connectionString = server.url.replace(`:${server.port}/`, `:${port}/`);
    const store = tables.store({ timeoutMs: 2_000 }, { connectionString, max: 2 });
    const watching = store.watch('', { signal: new AbortController().signal })[Symbol.asyncIterator]().next();
    watching.catch(() => {});
    for (let i = 0; i < 3; i++) {
      await expect(store.set('key', bytes('1'))).rejects.toMatchObject({
        code: expect.stringContaining(StoreUnavailableError.code),
      });
    }
    await store.close();
    await expect(watching).rejects.toThrow('is closed');
    expect(uncaught).toEqual([]);
  });

  it('that end as they begin do not end the process when the store was closed meanwhile', async () => {
    const tables = ending(new Tables(server.url));
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.on('uncaughtException', note);
    onTestFinished(() => void process.off('uncaughtException', note));
    const { port } = ending(await startSuddenEnd(server.port));
    const connectionString = server.url.replace(`:${server.port}/`, `:${port}/`);
    const pool = new pg.Pool({ connectionString, max: 2 });
    const store = tables.store({ pool, timeoutMs: 2_000 });
    const made = new Promise(resolve => pool.once('connect', resolve));
    const asked = store.get('key').catch(error => error);
    await store.close();
    await made;
    await asked;
    await pool.end();
    expect(uncaught).toEqual([]);
  });
});
