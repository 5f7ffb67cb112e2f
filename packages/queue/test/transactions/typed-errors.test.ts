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
  QueueTimeoutError,
  QueueUnavailableError,
  TableShapeError,
  TransactionEndedError,
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

  it('is a QueueTimeoutError of a transaction that never rests, and what was not asked is not published', async () => {
    await using site = new OutboxSite(server.url);
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const timeoutMs = 2_000;
    const drivers = [tables.driver({ timeoutMs }), site.driver(memoryDriver(), { timeoutMs })] as const;
    for (const driver of drivers) {
      await driver.migrate();
      await driver.declare('order', 'group');
      const tx = await site.pool.connect();
      await tx.query('BEGIN');
      let isOver = false;
      const ask = async () => {
        while (!isOver) await tx.query('SELECT 1');
      };
      const asking = [ask(), ask()];
      const publish = (id: string, count: number) => {
        const body = Buffer.from('{}');
        const batch = Array.from({ length: count }, (_, n) => ({ id: `${id}-${n}`, body, headers: {} }));
        return driver.publish('order', batch, { tx });
      };
      const late = { ok: false, outcome: 'NotExecuted', error: expect.any(QueueTimeoutError) };
      expect(await publish('early', 2)).toEqual([late, late]);
      isOver = true;
      await Promise.all(asking);
      expect(await publish('late', 2)).toEqual([{ ok: true }, { ok: true }]);
      await tx.query('COMMIT');
      tx.release();
      const stop = new AbortController();
      const found: string[] = [];
      for await (const each of driver.consume('order', 'group', { prefetch: 1, signal: stop.signal })) {
        found.push(each.id);
        await each.ack();
        if (found.length === 2) stop.abort();
      }
      expect(found.toSorted()).toEqual(['late-0', 'late-1']);
    }
  });

  it('says of each message of a batch of several statements whether it is in a transaction that ended meanwhile', async () => {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver();
    await driver.migrate();
    await driver.declare('order', 'group');
    const tx = await tables.admin.connect();
    await tx.query('BEGIN');
    // The transaction ends after the first statement that publishes
    const ending = new Proxy(tx, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name !== 'query') return value.bind(target);
        return async (...args: unknown[]) => {
          const answer = await value.apply(target, args);
          if (String(args[0]).includes('_jobs')) await target.query('COMMIT');
          return answer;
        };
      },
    });
    const body = Buffer.from('{}');
    const batch = Array.from({ length: 501 }, (_, n) => ({ id: `${n}`, body, headers: {} }));
    const published = await driver.publish('order', batch, { tx: ending });
    tx.release();
    expect(published.slice(0, 500)).toEqual(batch.slice(0, 500).map(() => ({ ok: true })));
    expect(published.slice(500)).toEqual([
      { ok: false, outcome: 'NotExecuted', error: expect.any(TransactionEndedError) },
    ]);
    expect((await driver.stats!('order', 'group')).waiting).toBe(500);
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
