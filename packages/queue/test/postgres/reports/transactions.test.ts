import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, times, topic } from '../../../src/conformance/subject.ts';
import { type Driver, memoryDriver, messages, Queue, TransactionEndedError } from '../../../src/index.ts';
import { outbox } from '../../../src/outbox.ts';
import { QueueTables } from '../queue-tables.ts';

/** What users of queues over PostgreSQL have reported of transactions that are undone, and of users who may do little, tried here. */

const soon = { withinMs: 60_000 };

describeWith({ own: 'postgres' }, 'reports of transactions and users', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  function open() {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const table = `${tables.prefix}_outbox`;
    const boxed = (pool: pg.Pool) => {
      const driver = outbox(memoryDriver(), { pool, table, pollMs: 20 });
      onTestFinished(() => driver[Symbol.asyncDispose]());
      return driver;
    };
    onTestFinished(async () => {
      const own = new QueueTables(server.url);
      await own.sql(`DROP TABLE IF EXISTS ${table}, ${tables.prefix}_inbox`);
      await own[Symbol.asyncDispose]();
    });
    return { tables, boxed };
  }

  it('of two who publish one key or one id at once, the second is not dropped for a first who rolls back (oban-bg/oban 1087, oban-bg/oban 1093)', async () => {
    const { tables } = open();
    const driver = tables.driver({ pollMs: 50, timeoutMs: 30_000 });
    await driver.migrate();
    await driver.declare(topic, group);
    const cases = {
      'a key': { deduplication: { key: 'k', mode: 'simple' } },
      'a key for a time': { deduplication: { key: 't', mode: 'throttle', ttlMs: 60_000 } },
      'an id': { id: 'the same' },
      'an id, by key': { id: 'the same again', key: 'lane' },
    } as const;
    for (const [what, more] of Object.entries(cases)) {
      const tx = await tables.admin.connect();
      await tx.query('BEGIN');
      expect(await driver.publish(topic, [message(`${what}, undone`, more)], { tx })).toEqual([{ ok: true }]);
      const second = driver.publish(topic, [message(what, more)]);
      await eventually(async () => {
        const rows = await tables.sql(
          `SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
          [tables.prefix],
        );
        expect(rows.length).toBeGreaterThan(0);
      }, soon);
      await tx.query('ROLLBACK');
      tx.release();
      expect(await second).toEqual([{ ok: true }]);
    }
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await eventually(
      async () => expect(reader.texts.toSorted()).toEqual(Object.keys(cases).toSorted()),
      soon,
    );
  }, 120_000);

  it('what is published without waiting for it goes with its transaction or is refused, and never comes when that is undone (NEventStore/NEventStore 54, headsnet/domain-events-bundle 46, dotnetcore/CAP 1521)', async () => {
    const { tables, boxed } = open();
    const table = tables.driver({ pollMs: 50 });
    await table.migrate();
    const box = boxed(tables.admin);
    await box.migrate();
    for (const driver of [table, box] as readonly Driver[]) {
      await driver.declare(topic, group);
      const publish = async (text: string, end: string, counts: readonly number[]) => {
        const tx = await tables.admin.connect();
        await tx.query('BEGIN');
        const all = counts.map(() => driver.publish(topic, [message(text, { key: 'lane' })], { tx }));
        await tx.query(end);
        const published = (await Promise.all(all)).flat();
        tx.release();
        for (const each of published) {
          if (!each.ok) {
            expect(each).toMatchObject({ outcome: 'NotExecuted', error: expect.any(TransactionEndedError) });
          }
        }
        return published.filter(({ ok }) => ok).length;
      };
      await publish('undone', 'ROLLBACK', [1]);
      await publish('undone', 'ROLLBACK', [1, 2, 3]);
      const kept = (await publish('kept', 'COMMIT', [1])) + (await publish('kept', 'COMMIT', [1, 2]));
      const tx = await tables.admin.connect();
      await tx.query('BEGIN');
      await driver.publish(topic, [message('last', { key: 'lane' })], { tx });
      await tx.query('COMMIT');
      tx.release();
      await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
      await eventually(async () => expect(reader.texts).toContain('last'), soon);
      expect(reader.texts).toEqual([...times(kept, () => 'kept'), 'last']);
    }
  }, 120_000);

  it('what a savepoint has published that is rolled back is gone, and what comes before and after it is not (stacksjs/stacks 2600, laravel/framework 60482)', async () => {
    const { tables, boxed } = open();
    const table = tables.driver({ pollMs: 50 });
    await table.migrate();
    const box = boxed(tables.admin);
    await box.migrate();
    const deduplication = { key: 'k', mode: 'simple' } as const;
    for (const driver of [table, box] as readonly Driver[]) {
      await driver.declare(topic, group);
      const tx = await tables.admin.connect();
      const publish = async (text: string) =>
        expect(
          await driver.publish(topic, [message(text, { key: 'lane', deduplication })], { tx }),
        ).toMatchObject([{ ok: true }]);
      await tx.query('BEGIN; SAVEPOINT one');
      await publish('undone');
      await tx.query('ROLLBACK TO one; SAVEPOINT two');
      await publish('kept');
      await tx.query('RELEASE two; SAVEPOINT three');
      expect(await driver.publish(topic, [message('undone too')], { tx })).toEqual([{ ok: true }]);
      await tx.query('ROLLBACK TO three; COMMIT');
      tx.release();
      await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
      await eventually(async () => expect(reader.texts).toEqual(['kept']), soon);
      await driver.publish(topic, [message('last')]);
      await eventually(async () => expect(reader.texts).toEqual(['kept', 'last']), soon);
    }
  }, 120_000);

  it('a user who may only read and write rows does all but make the tables (graphile/worker 151, graphile/worker 478)', async () => {
    const { tables, boxed } = open();
    const { prefix } = tables;
    const owner = tables.driver();
    await owner.migrate();
    await boxed(tables.admin).migrate();
    await using maker = new Queue(memoryDriver(), { messages: messages<{ topic: string }>() });
    const inbox = (pool: pg.Pool) => ({ mode: 'transaction', pool, table: `${prefix}_inbox` }) as const;
    await maker.subscribe('topic', () => {}, { idempotency: inbox(tables.admin) });
    await maker.publish('topic', 'makes the table');
    await eventually(
      async () => expect(await maker.stats('topic')).toMatchObject({ waiting: 0, active: 0 }),
      soon,
    );
    await maker.close();
    const user = `${prefix}_user`;
    await tables.sql(`CREATE ROLE ${user} LOGIN`);
    await tables.sql(`REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
    await tables.sql(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${user}`);
    onTestFinished(async () => {
      const own = new QueueTables(server.url);
      await own.sql(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
      await own[Symbol.asyncDispose]();
    });
    const address = new URL(server.url);
    address.username = user;
    const pool = new pg.Pool({ connectionString: address.href, max: 6 });
    pool.on('error', () => {});
    onTestFinished(() => void pool.end());
    const table = tables.driver({ pool, pollMs: 50 });
    const box = boxed(pool);
    for (const driver of [table, box]) {
      await driver.migrate();
      await driver.declare(topic, group);
      const tx = await pool.connect();
      await tx.query('BEGIN');
      const [published] = await driver.publish(topic, [message('one', { key: 'k' })], { tx });
      await tx.query('COMMIT');
      tx.release();
      expect(published).toEqual({ ok: true });
      await using reader = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'no' }) });
      await eventually(async () => expect(reader.texts).toEqual(['one']), soon);
      await eventually(async () => expect(await driver.redrive!(topic, group, {})).toBe(1), soon);
      await eventually(async () => expect(reader.texts).toEqual(['one', 'one']), soon);
    }
    await eventually(async () => expect(await box.lag()).toMatchObject({ waiting: 0 }), soon);
    await using queue = new Queue(memoryDriver(), { messages: messages<{ topic: string }>() });
    const handled: string[] = [];
    await queue.subscribe('topic', text => void handled.push(text), { idempotency: inbox(pool) });
    await queue.publish('topic', 'one');
    await eventually(async () => expect(handled).toEqual(['one']), soon);
    await queue.close();
  }, 120_000);
});
