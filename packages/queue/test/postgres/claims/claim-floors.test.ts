import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { ClaimFloors } from '../../../src/adapters/postgres/claiming/claim-floors.ts';
import type { PostgresDriver } from '../../../src/adapters/postgres.ts';
import { group, message, Reader, send, topic } from '../../../src/conformance/subject.ts';
import { QueueTables } from '../queue-tables.ts';

/** Until claims begin behind what is settled, also while a transaction that has written is open. */
const movedMs = 2_500;

/** What a look answers that has found nothing but transactions that are open. */
const look = (
  bound: string,
  { open = [], running = open, origin = 'a' }: { open?: string[]; running?: string[]; origin?: string } = {},
) => ({
  ...{ ready: Array.from({ length: 10 }, () => bound), busy: bound, bound, open, running, origin },
});

it('claims begin everywhere after the server was exchanged, or has had fewer transactions', () => {
  const floors = new ClaimFloors();
  const nowhere = [Array.from({ length: 10 }, () => '0'), '0', [], []];
  expect(floors.known).toEqual(nowhere);
  floors.learn(look('700', { open: ['600'], running: ['600', '701'] }));
  expect(floors).toMatchObject({ busy: '700', open: ['600'] });
  expect(floors.known).toEqual([look('700').ready, '700', ['600'], ['600', '701']]);
  floors.learn(look('800', { origin: 'b' }));
  expect(floors.known).toEqual(nowhere);
  floors.learn(look('800', { origin: 'b' }));
  expect(floors.busy).toBe('800');
  floors.learn(look('790', { origin: 'b' }));
  expect(floors.known).toEqual(nowhere);
});

describeWith({ own: 'postgres' }, 'where claims of postgresDriver begin', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ counting: true });
  });
  afterAll(() => server?.stop());

  async function begin(): Promise<{ tables: QueueTables; driver: PostgresDriver }> {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ leaseMs: 60_000 });
    await driver.migrate();
    await driver.declare(topic, group);
    return { tables, driver };
  }

  for (const [name, options] of Object.entries({
    plain: {},
    ordered: { ordered: true },
    fair: { fair: true },
  })) {
    it(`what two slow transactions have published is not skipped, nor what is delayed (${name})`, async () => {
      const { tables, driver } = await begin();
      await using reader = new Reader(driver, topic, group, options);
      const slow = await Promise.all([tables.admin.connect(), tables.admin.connect()]);
      onTestFinished(() => {
        for (const client of slow) client.release(true);
      });
      let sent = 0;
      const move = async () => {
        const movedAt = performance.now() + movedMs;
        while (performance.now() < movedAt) {
          await send(driver, topic, message(`other ${++sent}`, { key: `other ${sent}` }));
          await reader.has({} as Parameters<Reader['has']>[0], sent);
          await reader.received.at(-1)!.ack();
        }
      };
      for (const [n, client] of slow.entries()) {
        await client.query('BEGIN');
        await driver.publish(topic, [message(`slow ${n}`, { key: 'slow' + n })], { tx: client });
        await driver.publish(topic, [message(`late ${n}`, { key: `late${n}`, delayMs: 1 })], { tx: client });
      }
      await move();
      const arrived = () => reader.texts.filter(text => !text.startsWith('other')).sort();
      expect(arrived()).toEqual([]);
      for (const client of slow) {
        await client.query('COMMIT');
        sent += 2;
        await reader.has({} as Parameters<Reader['has']>[0], sent);
      }
      expect(arrived()).toEqual(['late 0', 'late 1', 'slow 0', 'slow 1']);
    });
  }

  it('not every claim walks over the backlog of a key, and messages without one have their turn beside it', async () => {
    const { tables, driver } = await begin();
    const backlog = Array.from({ length: 20_000 }, (_, n) => message(`${n}`, { key: 'a' }));
    for (let n = 0; n < backlog.length; n += 1_000) await driver.publish(topic, backlog.slice(n, n + 1_000));
    await using reader = new Reader(driver, topic, group, { fair: true, prefetch: 1 });
    let handled = 0;
    const next = async () => {
      await reader.has({} as Parameters<Reader['has']>[0], handled + 1);
      await reader.received[handled++]!.ack();
    };
    /** Of all claims that go from key to key. */
    const spent = async () => {
      const [row] = await tables.sql(
        `SELECT coalesce(sum(calls), 0)::int AS calls, coalesce(sum(shared_blks_hit + shared_blks_read), 0)::int AS blocks
          FROM pg_stat_statements WHERE query LIKE 'WITH RECURSIVE  lanes%' AND query LIKE $1`,
        [`%${tables.prefix}%`],
      );
      return row as { calls: number; blocks: number };
    };
    let least = Infinity;
    for (let before = await spent(); least >= 300; ) {
      expect(handled, `blocks of the claim that reads least: ${least}`).toBeLessThan(200);
      await next();
      const after = await spent();
      if (after.calls > before.calls)
        least = Math.min(least, (after.blocks - before.blocks) / (after.calls - before.calls));
      before = after;
    }
    await send(driver, topic, message('without'));
    while (!reader.texts.includes('without')) {
      expect(handled).toBeLessThan(10_000);
      await next();
    }
  });

  it('a key whose message is in hands for long is busy, whatever is claimed meanwhile', async () => {
    const { driver } = await begin();
    await using reader = new Reader(driver, topic, group, { ordered: true });
    const has = (count: number) => reader.has({} as Parameters<Reader['has']>[0], count);
    await send(driver, topic, message('first', { key: 'a' }));
    await has(1);
    const movedAt = performance.now() + movedMs;
    let count = 1;
    while (performance.now() < movedAt) {
      await send(driver, topic, message(`other ${count}`, { key: 'b' }));
      await has(++count);
      await reader.received.at(-1)!.ack();
      if (count % 50 === 0) await reader.received[0]!.extend(7_500);
    }
    await send(driver, topic, message('second', { key: 'a' }));
    await send(driver, topic, message('last', { key: 'c' }));
    await has(++count);
    expect(reader.texts.at(-1)).toBe('last');
    await reader.received[0]!.ack();
    await has(++count);
    expect(reader.texts.at(-1)).toBe('second');
  });
});
