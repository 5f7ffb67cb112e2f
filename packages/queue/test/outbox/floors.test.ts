import { setTimeout as passed } from 'node:timers/promises';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OutboxSite, Recorder, settles } from './site.ts';

/** Until relays look behind what they have relayed, also while a transaction that has written elsewhere is open. */
const movedMs = 3_000;

describeWith({ own: 'postgres' }, 'where a relay begins to look', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true, config: { max_prepared_transactions: 4 } });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query('CREATE TABLE elsewhere (n integer)');
    await client.end();
  });
  afterAll(() => server?.stop());

  async function begin() {
    const site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    await driver.migrate();
    const queue = site.queue(driver);
    let last = 100;
    return {
      site,
      recorder,
      queue,
      /** Relays many. */
      async move() {
        const movedAt = performance.now() + movedMs;
        while (performance.now() < movedAt) {
          const n = ++last;
          await site.transaction(tx => queue.publish('order', { n }, { tx, key: `${n}` }));
          await settles(() => expect(recorder.numbers.at(-1)).toBe(n));
        }
      },
      [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
    };
  }

  for (const [how, finish] of Object.entries({
    'commits late': ['COMMIT'],
    'is prepared for a two-phase commit and commits late': [
      `PREPARE TRANSACTION 'slow'`,
      `COMMIT PREPARED 'slow'`,
    ],
  })) {
    it(`what a transaction has written that ${how} is not skipped, while another that wrote elsewhere stays open`, async () => {
      await using place = await begin();
      const { site, recorder, queue, move } = place;
      await site.transaction(async elsewhere => {
        await elsewhere.query('INSERT INTO elsewhere VALUES (1)');
        const slow = await site.pool.connect();
        try {
          await slow.query('BEGIN');
          await queue.publish('order', { n: 1 }, { tx: slow, key: 'slow' });
          for (const statement of finish) {
            await move();
            await slow.query(statement);
          }
        } finally {
          slow.release(true);
        }
        await settles(() => expect(recorder.numbers.filter(n => n <= 100)).toEqual([1]));
      });
    });
  }

  it('what a transaction has written that began last and commits late is not skipped, though the driver was away', async () => {
    await using place = await begin();
    const { site, recorder, queue } = place;
    let isAway = true;
    let refusals = 0;
    recorder.answer = () => {
      if (!isAway) return { ok: true };
      refusals++;
      throw Object.assign(new Error('away'), { retryable: true });
    };
    const [first, last] = await Promise.all([site.pool.connect(), site.pool.connect()]);
    try {
      await first.query('BEGIN; INSERT INTO elsewhere VALUES (1)');
      await last.query('BEGIN; INSERT INTO elsewhere VALUES (1)');
      await queue.publish('order', { n: 1 }, { tx: last, key: 'a' });
      await queue.publish('order', { n: 2 }, { tx: first, key: 'b' });
      await first.query('COMMIT');
      await settles(() => expect(refusals).toBeGreaterThan(0));
      await passed(movedMs); // Without any other transaction
      await last.query('COMMIT');
      isAway = false;
      await settles(() => expect([...recorder.numbers].sort()).toEqual([1, 2]));
    } finally {
      for (const client of [first, last]) client.release(true);
    }
  });

  it('what is written after the ids have begun anew is not skipped', async () => {
    await using place = await begin();
    const { site, recorder, queue, move } = place;
    await move();
    await site.sql(`TRUNCATE ${site.table} RESTART IDENTITY`);
    await site.transaction(tx => queue.publish('order', { n: 1 }, { tx, key: 'a' }));
    await settles(() => expect(recorder.numbers.at(-1)).toBe(1));
  });
});
