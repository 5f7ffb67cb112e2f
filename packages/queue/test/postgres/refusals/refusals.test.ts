import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, type Postgres, startPostgres, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { postgresDriver } from '../../../src/adapters/postgres.ts';
import { group, message, Reader, topic } from '../../../src/conformance/subject.ts';
import { memoryDriver, messages, type PostponedMessage, Queue } from '../../../src/index.ts';
import { outbox } from '../../../src/outbox.ts';
import { QueueTables } from '../queue-tables.ts';
import { startRefusing } from './refusing-server.ts';

const soon = { withinMs: 60_000 };

describeWith({ own: 'postgres' }, 'a PostgreSQL that refuses for a while', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  function open(): QueueTables {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    return tables;
  }

  /** Resolves with messages that were postponed, as they come. */
  function postponements(): readonly PostponedMessage[] {
    const found: PostponedMessage[] = [];
    const listen = (each: unknown) => void found.push(each as PostponedMessage);
    subscribe('ashlar:queue:postponed', listen);
    onTestFinished(() => void unsubscribe('ashlar:queue:postponed', listen));
    return found;
  }

  const refusals = {
    '53300': 'sorry, too many clients already',
    '57P03': 'the database system is starting up',
  };
  for (const [state, text] of Object.entries(refusals)) {
    it(`sessions (${state}): says that nothing was done, and all goes on when it takes them again`, async () => {
      const tables = open();
      await using refusing = await startRefusing(state, text);
      await using proxy = await startTcpProxy({ target: server.port });
      const pool = new pg.Pool({ port: proxy.port, host: '127.0.0.1', user: 'postgres', max: 8 });
      pool.on('error', () => {});
      onTestFinished(() => pool.end());
      const { prefix } = tables;
      const [table, inbox] = [`${prefix}_outbox`, `${prefix}_inbox`];
      onTestFinished(() => tables.sql(`DROP TABLE IF EXISTS ${table}, ${inbox}`).then(() => {}));
      const driver = postgresDriver({ pool, prefix, durability: 'asynchronous' });
      onTestFinished(() => driver[Symbol.asyncDispose]());
      const boxed = outbox(memoryDriver(), { pool, table, pollMs: 20 });
      onTestFinished(() => boxed[Symbol.asyncDispose]());
      await using work = new Queue(memoryDriver(), { messages: messages<{ topic: number }>() });
      for (const each of [driver, boxed]) {
        await each.migrate();
        await each.declare(topic, group);
      }
      // What is acknowledged as its session is cut may come again
      await using reader = new Reader(driver, topic, group, { each: each => each.ack().catch(() => {}) });
      await using relayed = new Reader(boxed, topic, group, { each: each => each.ack() });
      const attempts: number[] = [];
      const postponed = postponements();
      await work.subscribe(topic, (_, { attempt }) => void attempts.push(attempt), {
        idempotency: { mode: 'transaction', pool, table: inbox },
      });
      const written = async (text: string) => {
        const tx = await tables.admin.connect();
        await tx.query('BEGIN');
        expect(await boxed.publish(topic, [message(text)], { tx })).toEqual([{ ok: true }]);
        await tx.query('COMMIT');
        tx.release();
      };
      expect(await driver.publish(topic, [message('before')])).toEqual([{ ok: true }]);
      await eventually(async () => expect(reader.texts).toEqual(['before']), soon);
      proxy.redirect(refusing.port);
      proxy.cut();

      const refused = { outcome: 'NotExecuted', retryable: true, cause: { code: state } };
      // What was sent over a session that has just been cut says that itself
      await eventually(async () => {
        const [published] = await driver.publish(topic, [message('refused')]);
        expect(published).toMatchObject({ ok: false, outcome: 'NotExecuted', error: refused });
      }, soon);
      await expect(driver.declare(topic, 'another')).rejects.toMatchObject(refused);
      await expect(driver.stats!(topic, group)).rejects.toMatchObject(refused);
      await expect(driver.inspect!(topic, group, { limit: 1 })).rejects.toMatchObject(refused);
      await expect(boxed.lag()).rejects.toMatchObject(refused);
      await work.publish(topic, 1);
      await written('meanwhile');
      await eventually(async () => {
        expect(postponed.length).toBeGreaterThan(0);
        expect(boxed.snapshot().state).toBe('failing');
      }, soon);
      expect(attempts).toEqual([]);

      proxy.redirect(server.port);
      await eventually(async () => {
        const [published] = await driver.publish(topic, [message('after')]);
        expect(published).toEqual({ ok: true });
      }, soon);
      await eventually(async () => {
        expect(reader.texts).toContain('after');
        expect(relayed.texts).toEqual(['meanwhile']);
        expect(attempts).toEqual([1]);
      }, soon);
      expect(reader.texts).not.toContain('refused');
      expect(reader.error).toBeUndefined();
    }, 180_000);
  }

  /** Statements that change jobs fail so until the returned function is called. */
  async function refuse(tables: QueueTables, change: 'UPDATE' | 'DELETE', state: string) {
    const name = `${tables.prefix}_refuses`;
    await tables.sql(`CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '${state}'; END $$`);
    await tables.sql(
      `CREATE TRIGGER refuses BEFORE ${change} ON ${tables.prefix}_jobs FOR EACH STATEMENT EXECUTE FUNCTION ${name}()`,
    );
    return () => tables.sql(`DROP FUNCTION ${name} CASCADE`);
  }

  async function failures(tables: QueueTables): Promise<number> {
    const [row] = await tables.sql(
      `SELECT sum(xact_rollback)::int AS count FROM pg_stat_database WHERE datname = current_database()`,
    );
    return Number(row!['count']);
  }

  for (const state of ['53100', '53200', '25006']) {
    it(`what a claim changes (${state}): hands out each message once and uncharged when it takes that again`, async () => {
      const tables = open();
      const driver = tables.driver({ leaseMs: 30_000, pollMs: 50 });
      await driver.migrate();
      await driver.declare(topic, group);
      const before = await failures(tables);
      const end = await refuse(tables, 'UPDATE', state);
      await driver.publish(topic, [message('one'), message('two')]);
      await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
      await eventually(async () => expect(await failures(tables)).toBeGreaterThan(before + 2), soon);
      expect(reader.texts).toEqual([]);
      await end();
      await eventually(async () => expect(reader.texts).toEqual(['one', 'two']), soon);
      expect(reader.received.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
      expect(reader.error).toBeUndefined();
    }, 180_000);

    it(`what was settled (${state}): a message is handled once, or dead once, when it takes that again`, async () => {
      const tables = open();
      const driver = tables.driver({ leaseMs: 60_000, pollMs: 50 });
      await driver.migrate();
      await using queue = new Queue(driver, { messages: messages<{ topic: string }>() });
      const calls: string[] = [];
      let opening: (() => Promise<unknown>)[] = [];
      const subscription = await queue.subscribe(
        topic,
        async text => {
          calls.push(text);
          const change = text === 'good' ? 'DELETE' : 'UPDATE';
          opening.push(await refuse(tables, change, state));
          if (text === 'bad') throw new Error('bad');
        },
        { concurrency: 1, attempts: 1, group },
      );
      for (const text of ['good', 'bad'] as const) {
        const before = await failures(tables);
        await queue.publish(topic, text);
        await eventually(async () => {
          expect(opening.length).toBe(1);
          expect(await failures(tables)).toBeGreaterThan(before + 1);
        }, soon);
        for (const end of opening) await end();
        opening = [];
        await eventually(async () => {
          const { handled, dead } = subscription.snapshot();
          expect(handled + dead).toBe(calls.length);
        }, soon);
      }
      expect(calls).toEqual(['good', 'bad']);
      expect(subscription.snapshot()).toMatchObject({ handled: 1, failed: 1, dead: 1, lost: 0 });
      const letters = [];
      for await (const { payload, reason, failures } of queue.dead(topic, group)) {
        letters.push({ payload, reason, failures });
      }
      expect(letters).toEqual([{ payload: 'bad', reason: 'Error: bad', failures: 1 }]);
      expect(await queue.stats(topic, group)).toMatchObject({ waiting: 0, active: 0, dead: 1 });
    }, 180_000);
  }
});
