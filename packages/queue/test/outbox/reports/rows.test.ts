import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UnroutedError } from '../../../src/index.ts';
import type { PoolClientLike, PoolLike } from '../../../src/transactions/pool.ts';
import { SteppedPostgres } from '../../support/stepped-postgres.ts';
import { OutboxSite, Recorder, settles, soon } from '../site.ts';

/** What users have reported of rows that come from elsewhere or go without their relay, and of times when a clock is set. */

const late = { withinMs: 40_000 };

/** A pool that asks for something itself after each statement, as what measures does: no portal keeps a snapshot then. */
function asking(pool: pg.Pool): PoolLike {
  const between = (client: PoolClientLike) =>
    new Proxy(client, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name !== 'query') return value.bind(target);
        return async (statement: Parameters<PoolClientLike['query']>[0]) => {
          const answer = await target.query(statement);
          await target.query({ text: 'SELECT 1' });
          return answer;
        };
      },
    });
  return { connect: async () => between(await pool.connect()) };
}

describeWith({ own: 'postgres' }, 'reports of rows of an outbox', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  it('rows that a restore puts back with their old ids are relayed (ThreeDotsLabs/watermill 576, Zehelein/pg-transactional-outbox 4)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    const queue = site.queue(driver);
    await driver.migrate();
    let n = 100;
    const one = async () => {
      n++;
      await site.transaction(tx => queue.publish('order', { n }, { tx, key: `${n}` }));
      await settles(() => expect(recorder.numbers.at(-1)).toBe(n));
    };
    // Until relays look behind what they have relayed
    const movedAt = performance.now() + 2_500;
    while (performance.now() < movedAt) await one();
    await site.sql(`INSERT INTO ${site.table} (id, lane, topic, name, body, rest) OVERRIDING SYSTEM VALUE
      SELECT n, n, 'order', 'restored ' || n, convert_to('{"n":' || n || '}', 'UTF8'), '{"headers":{}}'
      FROM generate_series(1, 3) AS n`);
    const restored = () => recorder.numbers.filter(each => each <= 3).toSorted();
    await eventually(async () => expect(restored()).toEqual([1, 2, 3]), late);
    await one();
    await eventually(async () => expect(await site.waiting()).toBe(0), soon);
  });

  it('a row that has the place of one that somebody deleted while it was published is relayed (dotnetcore/CAP 1809, MassTransit/MassTransit 6145, MassTransit/MassTransit 3869)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    let goOn = () => {};
    const going = new Promise<void>(resolve => {
      goOn = resolve;
    });
    let isSent = false;
    recorder.answer = async ({ id }) => {
      if (id !== 'deleted') return { ok: true };
      isSent = true;
      await going;
      return { ok: true };
    };
    const driver = site.driver(recorder.driver, { timeoutMs: 60_000, pool: asking(site.newPool()) });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(tx => queue.publish('order', { n: 1 }, { tx, id: 'deleted' }));
    const [{ place } = { place: '' }] = await site.sql(`SELECT ctid::text AS place FROM ${site.table}`);
    await settles(() => expect(isSent).toBe(true));
    // As a script that cleans up does
    await site.sql(`DELETE FROM ${site.table} WHERE name = 'deleted'`);
    let sent = 0;
    await eventually(async () => {
      await site.sql(`VACUUM (TRUNCATE off, INDEX_CLEANUP on) ${site.table}`);
      await site.transaction(tx => queue.publish('order', { n: 2 }, { tx, id: 'other' }));
      sent++;
      const [found] = await site.sql(`SELECT name FROM ${site.table} WHERE ctid = '${String(place)}'`);
      expect(found).toEqual({ name: 'other' });
    }, soon);
    goOn();
    await eventually(async () => expect(await site.waiting()).toBe(0), soon);
    expect(recorder.ids.filter(id => id === 'other')).toHaveLength(sent);
  });
});

describeWith([{ own: 'postgres' }, 'cc'], 'reports of clocks of an outbox', () => {
  const stepped = new SteppedPostgres();

  it('what waits after a failure, and what is delayed, comes in its time when the clock of the server is set back (Particular/NServiceBus.SqlServer 463, margince/margince 1346)', async () => {
    stepped.clock.set(0);
    await using site = new OutboxSite(stepped.server.url);
    const recorder = new Recorder();
    const delays: (number | undefined)[] = [];
    let isRefused = true;
    let refusals = 0;
    recorder.answer = ({ delayMs }) => {
      delays.push(delayMs);
      if (!isRefused) return { ok: true };
      refusals++;
      return { ok: false, outcome: 'NotExecuted', error: new UnroutedError('order') };
    };
    const backoff = { firstMs: 1_500, maxMs: 1_500 };
    const driver = site.driver(recorder.driver, { backoff });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(tx => queue.publish('order', { n: 1 }, { tx, key: 'a', delayMs: 600_000 }));
    await settles(() => expect(refusals).toBeGreaterThan(0));
    await eventually(async () => {
      const [waits] = await site.sql(`SELECT count(*) FROM ${site.table} WHERE due IS NOT NULL`);
      expect(waits).toEqual({ count: '1' });
    }, soon);
    stepped.clock.set(-3_600_000);
    isRefused = false;
    await site.transaction(tx => queue.publish('order', { n: 2 }, { tx, key: 'a' }));
    await settles(() => expect(recorder.numbers).toEqual([1, 2]));
    expect(Math.max(...delays.map(each => each ?? 0))).toBeLessThanOrEqual(600_000);
    stepped.clock.set(0);
  });
});
