import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { PostgresStore } from '../../src/adapters/postgres.ts';
import { Mirror } from '../../src/conformance/tools.ts';
import { StoreUnavailableError } from '../../src/errors.ts';
import { bytes } from '../support/bytes.ts';
import { ending } from '../support/stores.ts';
import { Tables } from './tables.ts';

const soon = { withinMs: 20_000 };

describeWith({ own: 'postgres' }, 'a PostgreSQL that does not allow everything', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  async function tablesHere(): Promise<Tables> {
    const tables = ending(new Tables(server.url));
    await tables.store().migrate();
    return tables;
  }

  /** The store of a role that may do so much with the table, and no more. */
  async function limitedTo(tables: Tables, rights: string): Promise<PostgresStore> {
    const role = `${tables.table}_role`;
    await tables.sql(`CREATE ROLE ${role} LOGIN; GRANT ${rights} ON ${tables.table} TO ${role}`);
    return tables.store({}, { connectionString: server.url.replace('postgres@', `${role}@`), user: role });
  }

  function warnings(): string[] {
    const told: string[] = [];
    const note = (message: unknown) => void told.push((message as { warning: string }).warning);
    subscribe('ashlar:store:warning', note);
    onTestFinished(() => void unsubscribe('ashlar:store:warning', note));
    return told;
  }

  it('lets a user who may only read watch what others write', async () => {
    const told = warnings();
    const tables = await tablesHere();
    const writer = tables.store();
    await using attending = new Mirror(writer, '');
    await writer.set('before', bytes('1'));
    const reader = await limitedTo(tables, 'SELECT');
    await using mirror = new Mirror(reader, '');
    await eventually(async () => expect(mirror.state.get('before')).toBe('1'), soon);
    for (let i = 0; i < 20; i++) {
      await writer.set('key', bytes(String(i)));
      await eventually(async () => expect(mirror.state.get('key')).toBe(String(i)), soon);
    }
    expect(mirror.resets).toBe(0);
    await expect(reader.set('key', bytes('2'))).rejects.toMatchObject({
      code: StoreUnavailableError.code,
      outcome: 'NotExecuted',
    });
    expect(told.filter(warning => warning.includes('does not let a watch'))).toEqual([
      expect.stringContaining('permission denied for table'),
    ]);
    await attending[Symbol.asyncDispose]();
  });

  it('lets it list again every few seconds where nobody else follows the table', async () => {
    const tables = await tablesHere();
    const writer = tables.store();
    await writer.set('before', bytes('1'));
    const reader = await limitedTo(tables, 'SELECT');
    await using mirror = new Mirror(reader, '');
    await writer.set('after', bytes('1'));
    await eventually(async () => expect([...mirror.state.keys()]).toEqual(['after', 'before']), soon);
    await writer.delete('before');
    await eventually(async () => expect([...mirror.state.keys()]).toEqual(['after']), soon);
  });

  it('shows a user without DELETE what has expired', async () => {
    const tables = await tablesHere();
    const store = await limitedTo(tables, 'SELECT, INSERT, UPDATE');
    await using mirror = new Mirror(store, '');
    await store.set('expires', bytes('1'), { ttlMs: 300 });
    await eventually(async () => expect(mirror.state.has('expires')).toBe(true), soon);
    await eventually(async () => expect(mirror.state.has('expires')).toBe(false), soon);
    await store.set('stays', bytes('1'));
    await eventually(async () => expect(mirror.state.has('stays')).toBe(true), soon);
  });

  it('goes on with a watch while it is read only', async () => {
    const tables = await tablesHere();
    const [writer, other] = [
      tables.store({}, { options: '-c default_transaction_read_only=off' }),
      tables.store({}, { options: '-c default_transaction_read_only=on' }),
    ];
    await using mirror = new Mirror(other, '');
    await expect(other.set('key', bytes('1'))).rejects.toMatchObject({ outcome: 'NotExecuted' });
    await writer.set('key', bytes('1'), { ttlMs: 500 });
    await eventually(async () => expect(mirror.state.get('key')).toBe('1'), soon);
    await eventually(async () => expect(mirror.state.size).toBe(0), soon);
  });

  it('answers a claim whose time is over before the answer with no time left', async () => {
    const tables = await tablesHere();
    const store = tables.store();
    await tables.sql(`CREATE FUNCTION ${tables.table}_slow() RETURNS trigger LANGUAGE plpgsql
      AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END'`);
    onTestFinished(() => void tables.sql(`DROP FUNCTION ${tables.table}_slow() CASCADE`).catch(() => {}));
    await tables.sql(`CREATE TRIGGER slow BEFORE INSERT ON ${tables.table}
      FOR EACH ROW WHEN (NEW.kind = 1) EXECUTE FUNCTION ${tables.table}_slow()`);
    expect(await store.claim('name', 'holder', 1)).toMatchObject({ remainingMs: 0 });
  });

  it('does not call setMany NotExecuted when only a part of it was refused', async () => {
    const tables = await tablesHere();
    const store = tables.store();
    await tables.sql(`ALTER TABLE ${tables.table} ADD CHECK (key <> 'refused')`);
    const entries = (first: string) =>
      Array.from({ length: 1_001 }, (_, i) => [i === 0 ? first : `key-${i}`, bytes(String(i))] as const);
    const refused = { code: StoreUnavailableError.code, retryable: true };
    await expect(store.setMany(entries('refused'))).rejects.toMatchObject({
      ...refused,
      outcome: 'NotExecuted',
    });
    expect(await store.get('key-1')).toBeUndefined();
    await expect(
      store.setMany(
        entries('first')
          .toSorted()
          .concat([['refused', bytes('1')]]),
      ),
    ).rejects.toMatchObject({
      ...refused,
      outcome: 'Unknown',
    });
    expect(await store.get('key-1')).toBeDefined();
  });
});
