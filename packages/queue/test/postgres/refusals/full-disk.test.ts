import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { promisify } from 'node:util';
import {
  childrenOf,
  eventually,
  isAlive,
  otherUser,
  type Postgres,
  startPostgres,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, times, topic } from '../../../src/conformance/subject.ts';
import { memoryDriver, messages, Queue } from '../../../src/index.ts';
import { outbox } from '../../../src/outbox.ts';
import { QueueTables } from '../queue-tables.ts';

const soon = { withinMs: 60_000 };
const run = promisify(execFile);
/** Others may not limit what it does. */
const owner = otherUser('postgres', 'nobody') ?? {};
/** A segment of the write-ahead log, and half a page: what extends a file is then written in part, as on a disk that is full. */
const fullBytes = 16 * 2 ** 20 + 4_096;
/** Half of a page of the table of jobs. */
const large = 1_800;

describeWith({ own: 'postgres' }, 'a PostgreSQL whose disk is full', () => {
  let server: Postgres;
  beforeAll(async () => {
    // Vacuum would make room
    server = await startPostgres({ own: true, config: { autovacuum: false } });
  });
  afterAll(() => server?.stop());
  afterEach(() => limit('unlimited'));

  /** No file that the server writes may be larger; sessions that begin later have the same limit. */
  async function limit(bytes: number | 'unlimited'): Promise<void> {
    const args = [`--fsize=${bytes}:`, '--pid'];
    const limited = (pid: number) =>
      run('prlimit', [...args, String(pid)], owner).catch(error => {
        if (isAlive(pid)) throw error;
      });
    // The server first: a session that begins meanwhile has it from there
    await limited(server.pid);
    for (const pid of childrenOf(server.pid)) await limited(pid);
  }

  function open(): QueueTables {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    return tables;
  }

  /** Until there is no room for more: many large rows, then few small ones. */
  async function fill(
    tables: QueueTables,
    insertion: (count: number, bytes: number) => string,
  ): Promise<void> {
    await limit(fullBytes);
    for (const [count, bytes] of [
      [500, large],
      [20, 1],
    ] as const) {
      const filling = async () => {
        for (let n = 0; n < 1_000; n++) await tables.sql(insertion(count, bytes));
      };
      await expect(filling()).rejects.toMatchObject({ code: '53100' });
    }
  }

  const refused = {
    ok: false,
    outcome: 'NotExecuted',
    error: expect.objectContaining({ retryable: true, cause: expect.objectContaining({ code: '53100' }) }),
  };
  const body = Buffer.alloc(large, 'x');

  it('refuses messages; those that it has are handled, fail and die as ever; it takes more when there is room', async () => {
    const tables = open();
    const { prefix } = tables;
    const driver = tables.driver({ leaseMs: 60_000, pollMs: 50 });
    await driver.migrate();
    await driver.declare(topic, group);
    const had = times(4, n => message(`had ${n}`));
    expect(await driver.publish(topic, had)).toEqual(had.map(() => ({ ok: true })));
    await fill(
      tables,
      (count, bytes) => `INSERT INTO ${prefix}_jobs (grp, id, state, priority, pos, lane, headers, body)
        SELECT 0, gen_random_uuid()::text, 3, 0, pg_current_xact_id(), '', '{}', convert_to(repeat('x', ${bytes}), 'UTF8')
        FROM generate_series(1, ${count})`,
    );
    const publish = (...texts: readonly string[]) =>
      driver.publish(
        topic,
        texts.map(text => message(text, { body })),
      );
    expect(await publish('single')).toEqual([refused]);
    expect(await publish('a', 'b')).toEqual([refused, refused]);
    expect(await driver.publish(topic, [message('keyed', { key: 'k', body })])).toEqual([refused]);
    const tx = await tables.admin.connect();
    await tx.query('BEGIN');
    expect(await driver.publish(topic, [message('in a transaction', { body })], { tx })).toMatchObject([
      { ok: false, outcome: 'NotExecuted' },
    ]);
    await tx.query('ROLLBACK');
    tx.release();
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 4, dead: 0 });

    const failed = new Set<string>();
    await using reader = new Reader(driver, topic, group, {
      each: async delivery => {
        if (delivery.id === had[3]!.id) await delivery.nack({ dead: 'no use' });
        else if (failed.size === failed.add(delivery.id).size) await delivery.ack();
        else await delivery.nack({ requeueAfterMs: 1 });
      },
    });
    await eventually(async () => expect(reader.received.length).toBe(7), soon);
    await eventually(
      async () =>
        expect(await driver.stats!(topic, group)).toMatchObject({
          waiting: 0,
          active: 0,
          delayed: 0,
          dead: 1,
        }),
      soon,
    );
    const again = reader.received.filter(({ deliveries }) => deliveries === 2);
    expect(again.map(({ failures }) => failures)).toEqual([1, 1, 1]);
    expect(await driver.inspect!(topic, group, { limit: 9 })).toMatchObject([
      { id: had[3]!.id, failures: 1 },
    ]);

    await limit('unlimited');
    await eventually(async () => expect(await publish('after')).toEqual([{ ok: true }]), soon);
    // It fails once, as the others
    await eventually(async () => expect(reader.received.length).toBe(9), soon);
    expect(reader.error).toBeUndefined();
  }, 240_000);

  it('fails transactions that write to an outbox, and what was committed before is relayed', async () => {
    const tables = open();
    const table = `${tables.prefix}_outbox`;
    const parts = { pool: tables.admin, table, pollMs: 20 };
    const writer = outbox(memoryDriver(), { ...parts, relay: false });
    await writer.migrate();
    onTestFinished(() => tables.sql(`DROP TABLE ${table}`).then(() => {}));
    const publish = async (text: string) => {
      const tx = await tables.admin.connect();
      try {
        await tx.query('BEGIN');
        const [published] = await writer.publish(topic, [message(text, { body })], { tx });
        await tx.query('COMMIT');
        return published;
      } finally {
        tx.release();
      }
    };
    expect(await publish('before')).toEqual({ ok: true });
    // In a lane that no relay looks at
    await fill(
      tables,
      (count, bytes) => `INSERT INTO ${table} (lane, topic, name, body, rest)
        SELECT -1, 'filler', 'n', convert_to(repeat('x', ${bytes}), 'UTF8'), '{}' FROM generate_series(1, ${count})`,
    );
    expect(await publish('refused')).toMatchObject({
      ok: false,
      outcome: 'NotExecuted',
      error: { code: '53100' },
    });
    const driver = outbox(memoryDriver(), parts);
    onTestFinished(async () => {
      await driver[Symbol.asyncDispose]();
      await writer[Symbol.asyncDispose]();
    });
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await eventually(async () => expect(reader.received.length).toBe(1), soon);
    await limit('unlimited');
    await eventually(async () => expect(await publish('after')).toEqual({ ok: true }), soon);
    await eventually(async () => expect(reader.received.length).toBe(2), soon);
  }, 240_000);

  it('postpones messages whose records it has no room for, uncharged, and each has its effect once when there is', async () => {
    const tables = open();
    const [table, effects] = [`${tables.prefix}_inbox`, `${tables.prefix}_effects`];
    await tables.sql(`CREATE TABLE ${effects} (n integer)`);
    onTestFinished(() => tables.sql(`DROP TABLE ${table}, ${effects}`).then(() => {}));
    await using queue = new Queue(memoryDriver(), { messages: messages<{ topic: number }>() });
    const attempts: number[] = [];
    const subscription = await queue.subscribe(
      topic,
      async (n, { attempt, tx }) => {
        await tx.query(`INSERT INTO ${effects} VALUES ($1)`, [n]);
        attempts.push(attempt);
      },
      { concurrency: 1, idempotency: { mode: 'transaction', pool: tables.admin, table } },
    );
    const postponed: unknown[] = [];
    const listen = (each: unknown) => void postponed.push(each);
    subscribe('ashlar:queue:postponed', listen);
    onTestFinished(() => void unsubscribe('ashlar:queue:postponed', listen));
    await queue.publish(topic, 1);
    await eventually(async () => expect(attempts).toEqual([1]), soon);
    await fill(
      tables,
      (count, bytes) => `INSERT INTO ${table} (name, fingerprint, result)
        SELECT gen_random_uuid()::text, 'f', repeat('x', ${bytes}) FROM generate_series(1, ${count})`,
    );
    await queue.publish(topic, 2);
    await eventually(async () => expect(postponed.length).toBeGreaterThan(1), soon);
    expect(postponed[0]).toMatchObject({
      error: { code: 'ASHLAR_QUEUE_ONCE_UNAVAILABLE', cause: { code: '53100' } },
    });
    expect(attempts).toEqual([1]);
    await limit('unlimited');
    await eventually(async () => expect(attempts).toEqual([1, 1]), soon);
    await eventually(
      async () => expect(subscription.snapshot()).toMatchObject({ handled: 2, failed: 0, dead: 0 }),
      soon,
    );
    expect(await tables.sql(`SELECT n FROM ${effects} ORDER BY n`)).toEqual([{ n: 1 }, { n: 2 }]);
  }, 240_000);
});
