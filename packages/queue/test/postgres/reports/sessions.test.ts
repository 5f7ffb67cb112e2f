import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { QueueTables } from '../queue-tables.ts';

/** What users of queues over PostgreSQL have reported of connections and their settings, tried here. Each test names the report. */

const soon = { withinMs: 20_000 };

describeWith('postgres', 'reports of connections', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function begin(pooled: pg.PoolConfig = {}) {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({}, pooled);
    await driver.migrate();
    await driver.declare(topic, group);
    return { tables, driver };
  }

  function newPool(max: number): pg.Pool {
    const pool = new pg.Pool({ connectionString: server.url, max });
    pool.on('error', () => {});
    onTestFinished(() => pool.end());
    return pool;
  }

  it('statements that the session has forgotten are prepared anew (prisma/orm 21877, porsager/postgres 547)', async () => {
    const pool = newPool(2);
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ pool });
    await driver.migrate();
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    for (let n = 1; n <= 3; n++) {
      await send(driver, topic, message(`${n}`));
      await eventually(async () => expect(reader.received).toHaveLength(n), soon);
      // As other code on the pool does before it gives its connection back
      const client = await pool.connect();
      await client.query('DISCARD ALL');
      client.release();
    }
    await eventually(
      async () => expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0 }),
      soon,
    );
  });

  for (const isolation of ['repeatable read', 'serializable']) {
    it(`order by key and limits hold where transactions are ${isolation} by default (kagkarlsson/db-scheduler 295)`, async () => {
      const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`;
      const { tables, driver } = await begin({ options });
      const running = new Map<string, number>();
      let most = 0;
      const each = async (key: string, ack: () => Promise<void>) => {
        const now = (running.get(key) ?? 0) + 1;
        running.set(key, now);
        most = Math.max(most, now);
        await new Promise(resolve => setTimeout(resolve, 1));
        running.set(key, now - 1);
        await ack();
      };
      const readers = times(4, () => {
        const own = tables.driver({ pollMs: 20 }, { options });
        return new Reader(own, topic, group, {
          ordered: true,
          prefetch: 4,
          each: async delivery => void each(delivery.key!, () => delivery.ack()),
        });
      });
      const count = 120;
      for (let n = 0; n < count; n += 20) {
        await send(
          driver,
          topic,
          ...times(20, index => message(`${n + index}`, { key: `k${(n + index) % 3}` })),
        );
      }
      const all = () => readers.flatMap(({ received }) => received);
      await eventually(async () => expect(all()).toHaveLength(count), soon);
      for (const reader of readers) await reader[Symbol.asyncDispose]();
      expect(most).toBe(1);
      expect(readers.map(({ error }) => error)).toEqual(times(4, () => undefined));
    });
  }

  it('delays end in time whatever form times and bytes have in the session (collectiveidea/delayed_job 242)', async () => {
    const options =
      '-c datestyle=SQL,DMY -c timezone=Asia/Kolkata -c bytea_output=escape -c intervalstyle=iso_8601';
    const { driver } = await begin({ options });
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    for (let n = 1; n <= 3; n++) {
      await send(driver, topic, message(`${n} \\ \u0001 é`, { delayMs: 700 }));
      await eventually(async () => expect(reader.received).toHaveLength(n), soon);
    }
    expect(reader.texts).toEqual(times(3, n => `${n + 1} \\ \u0001 é`));
  });

  it('numbers of another type do not disturb (brianc/node-postgres 1450)', async () => {
    const types = {
      getTypeParser: ((oid: number, format: 'text') =>
        oid === 20 || oid === 1700
          ? (value: string) => BigInt(value)
          : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    };
    const { driver } = await begin({ types });
    await using reader = new Reader(driver, topic, group, { ordered: true });
    await send(driver, topic, message('1', { key: 'a', delayMs: 10 }));
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
    await reader.received[0]!.nack({ dead: 'no' });
    expect(await driver.inspect!(topic, group, { limit: 10 })).toMatchObject([
      { deliveries: 1, failures: 1 },
    ]);
    expect(await driver.stats!(topic, group)).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 1 });
    expect(await driver.redrive!(topic, group, {})).toBe(1);
  });

  it('keeps one connection that listens, however often that breaks (oban-bg/oban 90)', async () => {
    const { tables, driver } = await begin();
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    const listening = async () => {
      const rows = await tables.sql(
        `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE '%pg_listening_channels%'`,
        [tables.prefix],
      );
      return rows.map(({ pid }) => pid);
    };
    const ended: unknown[] = [];
    while (ended.length < 4) {
      await eventually(async () => {
        const pids = await listening();
        expect(pids).toEqual([expect.any(Number)]);
        expect(ended).not.toContain(pids[0]);
        ended.push(pids[0]);
      }, soon);
      await tables.sql('SELECT pg_terminate_backend($1)', [ended.at(-1)]);
    }
    await send(driver, topic, message('1'));
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
    await eventually(async () => expect(await listening()).toHaveLength(1), soon);
  });

  it('a pool that connections to listen would fill is refused, and goes on for who has it (graphile/worker 497)', async () => {
    const pool = newPool(2);
    const [first, second] = [new QueueTables(server.url), new QueueTables(server.url)];
    onTestFinished(() => first[Symbol.asyncDispose]());
    onTestFinished(() => second[Symbol.asyncDispose]());
    const [driver, other] = [first.driver({ pool }), second.driver({ pool })];
    for (const each of [driver, other]) {
      await each.migrate();
      await each.declare(topic, group);
    }
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    expect(() => other.consume(topic, group, { prefetch: 1, signal: AbortSignal.abort() })).toThrow(
      /room for 2 connections, and each driver that consumes keeps one; write `new pg.Pool\({ max: 3 }\)/,
    );
    await send(other, topic, message('1'));
    await send(driver, topic, message('2'));
    await eventually(async () => expect(reader.texts).toEqual(['2']), soon);
    await reader[Symbol.asyncDispose]();
    await driver[Symbol.asyncDispose]();
    await using later = new Reader(other, topic, group, { each: each => each.ack() });
    await eventually(async () => expect(later.texts).toEqual(['1']), soon);
  });

  it('a statement that an operator cancels is tried again, and nothing is lost (oban-bg/oban 865)', async () => {
    const { tables, driver } = await begin();
    await using reader = new Reader(driver, topic, group);
    await send(driver, topic, message('1'));
    await eventually(async () => expect(reader.texts).toEqual(['1']), soon);
    const client = await tables.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SELECT 1 FROM ${tables.prefix}_jobs FOR UPDATE`);
      const settled = reader.received[0]!.ack();
      const refused = expect(settled).rejects.toMatchObject({ outcome: 'NotExecuted', retryable: true });
      await eventually(async () => {
        const canceled = await tables.sql(
          `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`,
          [tables.prefix],
        );
        expect(canceled).toHaveLength(1);
      }, soon);
      await refused;
      await client.query('COMMIT');
    } finally {
      client.release();
    }
    await reader.received[0]!.ack();
    expect(await driver.find!(topic, group, reader.received[0]!.id)).toBeUndefined();
  });
});
