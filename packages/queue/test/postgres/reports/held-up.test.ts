import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { type Delivery, memoryDriver, messages, Queue } from '../../../src/index.ts';
import { outbox } from '../../../src/outbox.ts';
import { QueueTables } from '../queue-tables.ts';

/** What users of queues over PostgreSQL have reported of servers that hold statements up, or write no more, tried here. */

const soon = { withinMs: 60_000 };

describeWith({ own: 'postgres' }, 'reports of servers that hold up or refuse', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  function open() {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const waiting = async () => {
      const [row] = await tables.sql(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
        [tables.prefix],
      );
      return row!['n'];
    };
    /** As `VACUUM FULL` and many migrations do. */
    const hold = async (table: string) => {
      const holder = await tables.admin.connect();
      await holder.query('BEGIN');
      await holder.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      return async () => {
        await holder.query('ROLLBACK');
        holder.release();
      };
    };
    return { tables, waiting, hold };
  }

  function poolOf(tables: QueueTables) {
    const pool = new pg.Pool({ connectionString: server.url, application_name: tables.prefix, max: 4 });
    pool.on('error', () => {});
    onTestFinished(() => void pool.end()); // It waits for its driver, which ends later
    return pool;
  }

  it('statements that nobody waits for any more leave no sessions behind on the server (nicolastakashi/prom-analytics-proxy 538, brianc/node-postgres 3399)', async () => {
    const { tables, waiting, hold } = open();
    const driver = tables.driver({ pollMs: 50, timeoutMs: 2_000, leaseMs: 20_000 });
    await driver.migrate();
    await driver.declare(topic, group);
    // What is in hands when the table is held cannot be acknowledged, and comes again
    const acknowledged = (each: Delivery) => each.ack().catch(() => {});
    await using reader = new Reader(driver, topic, group, { each: acknowledged });
    await eventually(async () => {
      await send(driver, topic, message('before'));
      expect(reader.received.length).toBeGreaterThan(0);
    }, soon);
    const release = await hold(`${tables.prefix}_jobs`);
    for (const n of times(8, n => n)) {
      const [published] = await driver.publish(topic, [message(`${n}`)]);
      expect(published).toMatchObject({ ok: false, error: { code: 'ASHLAR_QUEUE_TIMEOUT' } });
    }
    expect(await waiting()).toBeLessThanOrEqual(6);
    await release();
    await eventually(async () => {
      await send(driver, topic, message('after'));
      expect(reader.texts).toContain('after');
    }, soon);
  }, 120_000);

  function box(tables: QueueTables, pool: pg.Pool, timeoutMs: number) {
    const table = `${tables.prefix}_outbox`;
    const driver = outbox(memoryDriver(), { pool, table, timeoutMs, pollMs: 20 });
    onTestFinished(async () => {
      await driver[Symbol.asyncDispose]();
      const own = new QueueTables(server.url);
      await own.sql(`DROP TABLE IF EXISTS ${table}`);
      await own[Symbol.asyncDispose]();
    });
    const publish = async (text: string) => {
      const tx = await tables.admin.connect();
      await tx.query('BEGIN');
      const [published] = await driver.publish(topic, [message(text)], { tx });
      await tx.query('COMMIT');
      tx.release();
      expect(published).toEqual({ ok: true });
    };
    return { driver, table, publish };
  }

  it('nor do those of an outbox, which goes on', async () => {
    const { tables, waiting, hold } = open();
    const pool = poolOf(tables);
    const { driver, table, publish } = box(tables, pool, 1_000);
    await driver.migrate();
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await publish('before');
    await eventually(async () => expect(reader.texts).toContain('before'), soon);
    const release = await hold(table);
    let statements = 0;
    pool.on('acquire', () => statements++);
    await eventually(async () => expect(statements).toBeGreaterThan(10), soon);
    expect(await waiting()).toBeLessThanOrEqual(4);
    await release();
    await publish('after');
    await eventually(async () => expect(reader.texts).toContain('after'), soon);
  }, 120_000);

  it('connections to a server that is a primary no more are not kept (npgsql/efcore.pg 1306, brettwooldridge/HikariCP 1802)', async () => {
    const { tables } = open();
    const pool = poolOf(tables);
    const driver = tables.driver({ pool, pollMs: 50, timeoutMs: 20_000 });
    await driver.migrate();
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await send(driver, topic, message('before'));
    await eventually(async () => expect(reader.texts).toEqual(['before']), soon);
    const other = poolOf(tables);
    const { driver: relay, publish } = box(tables, other, 20_000);
    await relay.migrate();
    await relay.declare(topic, group);
    await using relayed = new Reader(relay, topic, group, { each: each => each.ack() });
    // As sessions are whose server was a primary; new ones come to one, as behind an address that has moved
    for (const each of [pool, other]) {
      const clients = await Promise.all(times(3, () => each.connect()));
      for (const client of clients) {
        await client.query('SET default_transaction_read_only = on');
        client.release();
      }
    }
    await eventually(
      async () => expect((await driver.publish(topic, [message('after')]))[0]!.ok).toBe(true),
      soon,
    );
    await publish('after');
    await eventually(async () => expect(reader.texts).toContain('after'), soon);
    await eventually(async () => expect(relayed.texts).toContain('after'), soon);
  }, 120_000);

  it('handlers run once, and none is charged, where transactions are serializable by default (MassTransit/MassTransit 5114, MassTransit/MassTransit 4470)', async () => {
    const { tables } = open();
    const options = '-c default_transaction_isolation=serializable';
    const pool = new pg.Pool({ connectionString: server.url, max: 8, options });
    pool.on('error', () => {});
    onTestFinished(() => pool.end());
    const table = `${tables.prefix}_inbox`;
    const sums = `${tables.prefix}_sums`;
    await tables.sql(`CREATE TABLE ${sums} (n integer)`);
    await using queue = new Queue(memoryDriver(), { messages: messages<{ topic: number }>() });
    await queue.declare('topic', group);
    for (const n of times(60, n => n)) await queue.publish('topic', n % 20);
    await queue.subscribe(
      'topic',
      async (n, { tx }) => {
        await tx.query(`INSERT INTO ${sums} VALUES ($1)`, [n]);
      },
      {
        group,
        concurrency: 6,
        attempts: 3,
        idempotency: { mode: 'transaction', pool, table, key: (n: number) => `${n}` },
      },
    );
    await eventually(async () => {
      expect(await queue.stats('topic', group)).toMatchObject({ waiting: 0, delayed: 0, active: 0, dead: 0 });
    }, soon);
    const rows = await tables.sql(`SELECT n FROM ${sums} ORDER BY n`);
    expect(rows.map(({ n }) => n)).toEqual(times(20, n => n));
    await queue.close();
    await tables.sql(`DROP TABLE ${sums}, ${table}`);
  }, 120_000);
});
