import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import {
  memoryDriver,
  messages,
  PublishError,
  Queue,
  QueueUnavailableError,
  TableShapeError,
} from '../../src/index.ts';
import { type Messages, OutboxSite } from '../outbox/site.ts';
import { QueueTables } from '../postgres/queue-tables.ts';

describeWith('postgres', 'what the database refuses', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('is a typed error of an outbox whose database is away', async () => {
    await using site = new OutboxSite(server.url);
    const pool = new pg.Pool({ connectionString: 'postgres://postgres@127.0.0.1:1/none' });
    onTestFinished(() => pool.end());
    const driver = site.driver(memoryDriver(), { pool });
    const queue = site.queue(driver);
    const away = { outcome: 'NotExecuted', retryable: true, cause: { code: 'ECONNREFUSED' } };
    const calls = {
      subscribe: () => queue.subscribe('order', () => {}),
      migrate: () => driver.migrate(),
      lag: () => driver.lag(),
      count: () => queue.dead('order', 'outbox').count(),
      purge: () => queue.dead('order', 'outbox').purge(),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await Promise.resolve(call()).then(
        () => name,
        error => error,
      );
      expect(error, name).toBeInstanceOf(QueueUnavailableError);
      expect(error, name).toMatchObject(away);
    }
  });

  it('is a PublishError within a transaction that has failed', async () => {
    await using site = new OutboxSite(server.url);
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const [over, direct] = [site.driver(memoryDriver()), tables.driver()];
    await direct.migrate();
    await using queue = new Queue(direct, { messages: messages<Messages>() });
    for (const each of [site.queue(over), queue] as const) {
      await each.declare('order');
      const client = await site.pool.connect();
      try {
        await client.query('BEGIN');
        await client.query('SELECT 1 / 0').catch(() => {});
        const error = await each.publish('order', { n: 1 }, { tx: client, id: 'one' }).catch(error => error);
        expect(error).toBeInstanceOf(PublishError);
        expect(error).toMatchObject({ id: 'one', outcome: 'NotExecuted', cause: { code: '25P02' } });
      } finally {
        await client.query('ROLLBACK');
        client.release();
      }
    }
  });

  const another = { retryable: false, outcome: 'NotExecuted', code: TableShapeError.code };

  it('is a TableShapeError where the table of an outbox is another', async () => {
    await using site = new OutboxSite(server.url);
    await site.sql(`CREATE TABLE ${site.table} (id bigint PRIMARY KEY, owner text NOT NULL)`);
    const driver = site.driver(memoryDriver());
    const found = {
      ...another,
      table: site.table,
      differences: expect.arrayContaining(['there is no column lane smallint', 'column owner must be given']),
    };
    await expect(driver.migrate()).rejects.toMatchObject(found);
    await expect(driver.lag()).rejects.toMatchObject(found);
    await expect(site.queue(driver).subscribe('order', () => {})).rejects.toMatchObject(found);
  });

  it('is a TableShapeError, and no failure, where the table of records is another', async () => {
    await using site = new OutboxSite(server.url);
    await site.sql(`CREATE TABLE ${site.table} (id bigint)`);
    const work = site.queue(memoryDriver());
    const postponed = new Promise(resolve => {
      subscribe('ashlar:queue:postponed', resolve);
      onTestFinished(() => void unsubscribe('ashlar:queue:postponed', resolve));
    });
    await work.subscribe('order', () => {}, {
      idempotency: { mode: 'transaction', pool: site.pool, table: site.table },
    });
    await work.publish('order', { n: 1 });
    expect(await postponed).toMatchObject({ error: { cause: { ...another, table: site.table } } });
  });

  const changes = {
    'a column less': 'ALTER TABLE $_jobs DROP COLUMN result',
    'a column of another type': 'ALTER TABLE $_jobs ALTER COLUMN id TYPE varchar(10)',
    'a column that must be given': 'ALTER TABLE $_ids ADD COLUMN owner text NOT NULL',
    'a view in the place of a table':
      'ALTER TABLE $_ids RENAME TO $_other; CREATE VIEW $_ids AS SELECT * FROM $_other',
    'another table from the start': 'DROP TABLE $_groups; CREATE TABLE $_groups (a integer)',
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`is a TableShapeError of postgresDriver for ${what}`, async () => {
      const tables = new QueueTables(server.url);
      onTestFinished(() => tables[Symbol.asyncDispose]());
      onTestFinished(() => tables.sql(`DROP TABLE IF EXISTS ${tables.prefix}_other CASCADE`).then(() => {}));
      await tables.driver().migrate();
      await tables.sql(change.replaceAll('$', tables.prefix));
      await expect(tables.driver().migrate()).rejects.toMatchObject(another);
    });
  }
});
