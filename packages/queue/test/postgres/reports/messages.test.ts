import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { PostgresDriverOptions } from '../../../src/adapters/postgres.ts';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { type Meddle, meddled } from '../connections/meddled-pool.ts';
import { QueueTables } from '../queue-tables.ts';

/** What users of queues over PostgreSQL have reported of messages that it cannot keep, or that are large or many, tried here. */

const soon = { withinMs: 30_000 };

describeWith('postgres', 'reports of messages', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function begin(options: Partial<PostgresDriverOptions> = {}, pooled: pg.PoolConfig = {}) {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ pollMs: 50, ...options }, pooled);
    await driver.migrate();
    await driver.declare(topic, group);
    return { tables, driver };
  }

  it('a zero character is refused for its message alone, and is looked for in vain (kestra-io/kestra 10326, farcasterxyz/hub-monorepo 1753)', async () => {
    const { tables, driver } = await begin();
    const deduplication = { key: 'a\0b', mode: 'simple' } as const;
    const batch = [
      message('1'),
      message('2', { id: 'a\0b' }),
      message('3', { key: 'a\0b' }),
      message('4', { deduplication }),
      message('5 \0', { headers: { x: 'a\0b' } }),
    ];
    const refused = { ok: false, outcome: 'NotExecuted', error: { code: 'ASHLAR_CORE_INVALID_OPTION' } };
    const expected = [{ ok: true }, refused, refused, refused, { ok: true }];
    expect(await driver.publish(topic, batch)).toMatchObject(expected);
    const tx = await tables.admin.connect();
    try {
      await tx.query('BEGIN');
      const again = batch.map(each => ({ ...each, id: `${each.id} again` }));
      expect(await driver.publish(topic, again, { tx })).toMatchObject(expected);
      await tx.query('COMMIT');
    } finally {
      tx.release();
    }
    await using reader = new Reader(driver, topic, group);
    await eventually(async () => expect(reader.texts.toSorted()).toEqual(['1', '1', '5 \0', '5 \0']), soon);
    const odd = reader.received.find(({ id }) => id === batch[4]!.id)!;
    expect(odd.headers).toEqual({ x: 'a\0b' });
    await odd.nack({ dead: 'no \0' });
    expect(await driver.inspect!(topic, group, { limit: 9 })).toMatchObject([{ reason: 'no \ufffd' }]);
    expect(await driver.find!(topic, group, 'a\0b')).toBeUndefined();
    expect(await driver.cancel!(topic, group, 'a\0b')).toBe(false);
    expect(await driver.redrive!(topic, group, { ids: ['a\0b', odd.id] })).toBe(1);
    expect(await driver.purge!(topic, group, { ids: ['a\0b'] })).toBe(0);
    expect(await driver.inspect!(topic, group, { limit: 9, after: 'a\0b' })).toEqual([]);
  });

  it('what the encoding of the database does not have is refused for its message alone, and not as if the server were away (randy-girard/app_perf 26)', async () => {
    const { tables } = await begin();
    const database = `latin_${process.pid}`;
    await tables.sql(
      `CREATE DATABASE ${database} ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    );
    onTestFinished(async () => void (await tables.sql(`DROP DATABASE ${database} WITH (FORCE)`)));
    const connectionString = server.url.replace(/\/[^/]*$/, `/${database}`);
    const latin = new QueueTables(connectionString);
    onTestFinished(() => latin[Symbol.asyncDispose]());
    const driver = latin.driver();
    await driver.migrate();
    await driver.declare(topic, group);
    const batch = [
      message('1 日本'),
      message('2', { key: '日本' }),
      message('3', { headers: { x: '日本' } }),
    ];
    expect(await driver.publish(topic, batch)).toMatchObject([
      { ok: true },
      { ok: false, outcome: 'NotExecuted', error: { code: 'ASHLAR_QUEUE_INVALID_PAYLOAD' } },
      { ok: true },
    ]);
    await using reader = new Reader(driver, topic, group);
    await eventually(async () => expect(reader.texts.toSorted()).toEqual(['1 日本', '3']), soon);
    const last = reader.received.find(({ id }) => id === batch[2]!.id)!;
    expect(last.headers).toEqual({ x: '日本' });
    await last.nack({ dead: 'Error: 日本' });
    expect(await driver.inspect!(topic, group, { limit: 9 })).toMatchObject([{ reason: 'Error: ??' }]);
  });

  it('a message that is too large is refused for itself alone (HazyResearch/fonduer 162)', async () => {
    const { driver } = await begin();
    const large = message('', { body: new Uint8Array(64 * 2 ** 20 + 1) });
    expect(await driver.publish(topic, [message('1'), large])).toMatchObject([
      { ok: true },
      {
        ok: false,
        outcome: 'NotExecuted',
        error: { code: 'ASHLAR_QUEUE_INVALID_PAYLOAD', retryable: false },
      },
    ]);
  });

  it('large messages are claimed a few at a time, so that an answer comes in time (NikolayS/PgQue 282)', async () => {
    const own = new pg.Pool({ connectionString: server.url });
    own.on('error', () => {});
    onTestFinished(() => own.end());
    const sizes: number[] = [];
    const meddle: Meddle = async (text, ask) => {
      const answer = await ask();
      if (!/^WITH (picked|RECURSIVE)/.test(text)) return answer;
      const bytes = answer.rows[0]?.bodies?.length ?? 0;
      if (bytes > 0) sizes.push(bytes);
      return answer;
    };
    const { tables } = await begin();
    const driver = tables.driver({
      pool: meddled(own, meddle),
      pollMs: 50,
      timeoutMs: 20_000,
      leaseMs: 20_000,
    });
    const mib = 2 ** 20;
    for (const ordered of [false, true]) {
      for (let n = 0; n < 8; n++) {
        await send(driver, topic, message('', { body: Buffer.alloc(3 * mib, n), key: `k${n}` }));
      }
      sizes.length = 0;
      await using reader = new Reader(driver, topic, group, { ordered, each: each => each.ack() });
      await eventually(async () => expect(reader.received.length).toBe(8), soon);
      expect(sizes.length).toBeGreaterThan(1);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(9 * mib);
      const first = reader.received.map(({ body }) => body[0]);
      expect(first).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
  });

  it('of many that publish one key of deduplication while it is handled, none is dropped in vain (graphile/worker 580, graphile/worker 121)', async () => {
    const { tables, driver } = await begin();
    const drivers = times(4, () => tables.driver({ pollMs: 20 }));
    await using reader = new Reader(driver, topic, group, { prefetch: 5, each: each => each.ack() });
    let fresh = 0;
    await Promise.all(
      drivers.map(async (each, who) => {
        for (let n = 0; n < 40; n++) {
          const deduplication = { key: `key ${n % 3}`, mode: 'simple' } as const;
          const [published] = await each.publish(topic, [message(`${who} ${n}`, { deduplication })]);
          if (!published!.ok) throw published!.error;
          if (published!.isDuplicate !== true) fresh++;
        }
      }),
    );
    await eventually(async () => expect(reader.received).toHaveLength(fresh), soon);
    for (const key of times(3, n => `key ${n}`)) {
      await eventually(async () => {
        const deduplication = { key, mode: 'simple' } as const;
        expect(await driver.publish(topic, [message('last', { deduplication })])).toEqual([{ ok: true }]);
      }, soon);
    }
  });

  it('batches of the same keys in other orders, published at once, do not end in deadlocks (TkTech/chancy 89, rails/solid_queue 267)', async () => {
    const { tables, driver } = await begin({}, { max: 4 });
    const deadlocks = async () => {
      const [row] = await tables.sql(
        `SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()`,
      );
      return row!['n'];
    };
    const before = await deadlocks();
    const count = 1_100;
    const forth = times(count, n => message(`${n}`, { key: `k${n}` }));
    const back = times(count, n => message(`${n}`, { key: `k${count - 1 - n}` }));
    for (let round = 0; round < 3; round++) {
      const fresh = (batch: typeof forth) => batch.map(each => ({ ...each, id: `${each.id} ${round}` }));
      const both = await Promise.all([
        driver.publish(topic, fresh(forth)),
        driver.publish(topic, fresh(back)),
      ]);
      expect(both.flat().filter(({ ok }) => !ok)).toEqual([]);
    }
    await tables.sql('SELECT pg_stat_clear_snapshot()');
    expect(await deadlocks()).toBe(before);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 6 * count });
  });
});
