import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { columnsOf } from '../../src/adapters/postgres/columns.ts';
import { unpacked } from '../../src/adapters/postgres/headers.ts';
import { group, message, Reader, send, times, topic } from '../../src/conformance/subject.ts';
import type { OutgoingMessage } from '../../src/driver.ts';
import { QueueTables } from './queue-tables.ts';

const soon = { withinMs: 30_000 };

const text = fc.oneof(
  fc.constantFrom('"', '\\', '{a,b}', 'NULL', '', "it's", '\\u0041', 'ä\u2028𝄞', '$1', '?'),
  fc.string({ unit: 'grapheme-ascii' }),
);
const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined, freq: 2 });
let made = 0;
const given: fc.Arbitrary<OutgoingMessage> = fc
  .record({
    id: text,
    body: fc.uint8Array({ maxLength: 50 }),
    headers: fc.dictionary(fc.constantFrom('ce-id', 'ce-time', 'content-type', 'x'), text),
    key: maybe(text),
    delayMs: maybe(fc.constantFrom(0, 0.5, 3_000_000)),
    priority: maybe(fc.integer({ min: 0, max: 9 })),
    expiresInMs: maybe(fc.constantFrom(1_000_000, 3_155_760_000_000)),
  })
  .map(each => ({ ...each, id: `${++made} ${each.id}` }));

it('of a batch, what its messages share is written once', () => {
  const sharing = times(100, n => {
    const id = `${n}`.padStart(36, '0');
    const headers = { 'ce-id': id, 'ce-source': '/queue', 'ce-time': '2026-11-29T10:00:00.000Z' };
    return message('{"n":12345}', { id, headers });
  });
  const size = (batch: typeof sharing) => columnsOf(topic, batch).join('').length;
  expect((size(sharing) - size(sharing.slice(0, 1))) / 99).toBeLessThan(65);
});

describeWith('postgres', 'batches of postgresDriver', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  async function begin() {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ pollMs: 50 });
    await driver.migrate();
    await driver.declare(topic, group);
    return { tables, driver };
  }

  async function beginTransaction(tables: QueueTables, isolation: string): Promise<pg.PoolClient> {
    const tx = await tables.admin.connect();
    onTestFinished(async () => {
      await tx.query('ROLLBACK');
      tx.release();
    });
    await tx.query(`BEGIN ISOLATION LEVEL ${isolation}`);
    return tx;
  }

  it('each message keeps its own id, body, headers, key, delay, priority and expiry (riverqueue/river 121)', async () => {
    const { tables, driver } = await begin();
    await fc.assert(
      fc.asyncProperty(fc.array(given, { minLength: 1, maxLength: 8 }), async batch => {
        await send(driver, topic, ...batch);
        const rows = await tables.sql(
          `DELETE FROM ${tables.prefix}_jobs RETURNING seq::int, id, state, priority, lane, headers, body,
            at > now() + interval '10 minutes' AS late, round(extract(epoch FROM expires - now()) / 100)::float8 AS expires`,
        );
        const found = rows
          .toSorted((one, other) => Number(one['seq']) - Number(other['seq']))
          .map(({ id, state, priority, lane, headers, body, late, expires }) => {
            const key = lane === '' ? undefined : String(lane).slice(1);
            const known = { id: String(id), topic, key };
            const isDelayed = state === 1;
            const own = unpacked(String(headers), known);
            return { ...known, isDelayed, late, priority, own, body: [...(body as Buffer)], expires };
          });
        const expected = batch.map(({ id, key, delayMs = 0, priority = 0, headers, body, expiresInMs }) => {
          const late = delayMs > 0 ? delayMs > 1_000 : null;
          const expires = expiresInMs === undefined ? null : expiresInMs / 100_000;
          const isDelayed = delayMs > 0;
          return { id, topic, key, isDelayed, late, priority, own: { ...headers }, body: [...body], expires };
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it('many that publish one id at once make one message, and none fails (oban-bg/oban 1505)', async () => {
    const { tables, driver } = await begin();
    const drivers = [driver, ...times(3, () => tables.driver())];
    const once = message('once');
    const others = times(12, n => message(`${n}`));
    const published = await Promise.all(
      others.map((other, n) => drivers[n % drivers.length]!.publish(topic, [once, other])),
    );
    expect(published.flat().filter(({ ok }) => !ok)).toEqual([]);
    const fresh = published.filter(([first]) => first!.ok && first!.isDuplicate !== true);
    expect(fresh).toHaveLength(1);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 13 });
  });

  it('groups that are declared again and again use up no numbers (graphile/worker 619)', async () => {
    const { tables, driver } = await begin();
    for (let n = 0; n < 5; n++) await driver.declare(topic, group);
    await driver.declare(topic, 'next');
    const rows = await tables.sql(`SELECT grp FROM ${tables.prefix}_groups ORDER BY grp`);
    expect(rows.map(({ grp }) => grp)).toEqual([1, 2]);
  });

  it('a dead letter comes again beside one that has its key of deduplication now (timgit/pg-boss 522, timgit/pg-boss 535)', async () => {
    const { driver } = await begin();
    const deduplication = { key: 'k', mode: 'simple' } as const;
    let isSick = true;
    await using reader = new Reader(driver, topic, group, {
      each: async delivery => {
        if (isSick) await delivery.nack({ dead: 'sick' });
      },
    });
    await send(driver, topic, message('1', { deduplication }));
    await eventually(async () => expect(await driver.stats!(topic, group)).toMatchObject({ dead: 1 }), soon);
    isSick = false;
    expect(await driver.publish(topic, [message('2', { deduplication })])).toEqual([{ ok: true }]);
    expect(await driver.redrive!(topic, group, {})).toBe(1);
    await eventually(async () => expect(reader.texts.toSorted()).toEqual(['1', '1', '2']), soon);
    for (const delivery of reader.received.slice(1)) await delivery.nack({ requeueAfterMs: 0 });
    await eventually(async () => expect(reader.received).toHaveLength(5), soon);
  });

  it('with deduplication, `tx` sees what others have published meanwhile, and is refused where it would not', async () => {
    const { tables, driver } = await begin();
    const deduplication = { key: 'k', mode: 'simple' } as const;
    const committed = await beginTransaction(tables, 'READ COMMITTED');
    await committed.query('SELECT 1');
    await send(driver, topic, message('1', { deduplication }));
    expect(await driver.publish(topic, [message('2', { deduplication })], { tx: committed })).toEqual([
      { ok: true, isDuplicate: true },
    ]);
    await committed.query('COMMIT');
    for (const isolation of ['REPEATABLE READ', 'SERIALIZABLE']) {
      const tx = await beginTransaction(tables, isolation);
      const [published] = await driver.publish(topic, [message('3', { deduplication })], { tx });
      expect(published).toMatchObject({
        ok: false,
        outcome: 'NotExecuted',
        error: {
          code: 'ASHLAR_CORE_INVALID_OPTION',
          option: 'tx',
          message: expect.stringContaining(isolation),
        },
      });
      expect(await driver.publish(topic, [message('4')], { tx })).toEqual([{ ok: true }]);
      await tx.query('COMMIT');
    }
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 3 });
  });
});
