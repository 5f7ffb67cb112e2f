import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PoolLike } from '../../src/transactions/pool.ts';
import { intercepted } from '../support/intercepted-pool.ts';
import { OutboxSite, Recorder, settles, soon } from './site.ts';

/** Longer than a test takes. */
const never = 600_000;

describeWith({ own: 'postgres' }, 'an outbox with a backlog', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ counting: true, config: { autovacuum_naptime: '1s' } });
  });
  afterAll(() => server?.stop());

  function fill(site: OutboxSite, topic: string, count: number): Promise<unknown> {
    return site.sql(`INSERT INTO ${site.table} (lane, topic, name, key, body, rest)
      SELECT n % 64, '${topic}', '${topic}' || n, 'k' || n % 640, convert_to('{"n":' || n || '}', 'UTF8'), '{"headers":{}}'
      FROM generate_series(1, ${count}) AS n`);
  }

  /** Blocks that a look for lanes with rows reads, wherever they come from: no figure of time. */
  async function blocksOfClaim(site: OutboxSite): Promise<number> {
    const [row] = await site.sql(`SELECT sum(shared_blks_hit + shared_blks_read) / sum(calls) AS blocks
      FROM pg_stat_statements WHERE query LIKE 'WITH busy%' AND query LIKE '%${site.table}%'`);
    return Number(row!['blocks']);
  }

  /** @param open what a transaction has done that stays open */
  async function blocksAfter(relayed: number, open?: string): Promise<number> {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    await driver.migrate();
    const holder = await site.pool.connect();
    try {
      if (open !== undefined) {
        await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
        await holder.query(open);
      }
      await fill(site, 'order', relayed);
      driver.wake();
      await settles(() => expect(recorder.numbers.length).toBe(relayed));
      const queue = site.queue(driver);
      let n = relayed;
      const one = async () => {
        n++;
        await site.transaction(tx => queue.publish('order', { n }, { tx, key: `${n}` }));
        await settles(() => expect(recorder.numbers.length).toBe(n));
      };
      // Within two seconds, looks begin behind the dead rows
      const movedAt = performance.now() + 2_500;
      while (performance.now() < movedAt) await one();
      await site.sql('SELECT pg_stat_statements_reset()');
      for (let round = 0; round < 50; round++) await one();
      return await blocksOfClaim(site);
    } finally {
      holder.release(true);
    }
  }

  for (const [when, open] of Object.entries({
    'without other transactions': undefined,
    'under an old snapshot': 'SELECT 1 FROM pg_class LIMIT 1',
    'while a transaction is open that has written': 'CREATE TEMP TABLE elsewhere (n integer)',
  })) {
    it(`looks for rows in fewer blocks than there are lanes ${when}`, async () => {
      expect(await blocksAfter(10_000, open)).toBeLessThan(64);
    });
  }

  it('does not look through the backlog of a topic that waits, again and again', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    await driver.migrate();
    let refusals = 0;
    recorder.answer = (_, topic) => {
      if (topic === 'other') return { ok: true };
      refusals++;
      throw Object.assign(new Error('away'), { retryable: true });
    };
    await fill(site, 'order', 50_000);
    driver.wake();
    await settles(() => expect(refusals).toBeGreaterThan(0));
    await site.sql('SELECT pg_stat_statements_reset()');
    for (let n = 1; n <= 50; n++) {
      await site.transaction(tx => site.queue(driver).publish('other', { n }, { tx }));
      await settles(() => expect(recorder.numbers.length).toBe(n));
    }
    expect(await blocksOfClaim(site)).toBeLessThan(3_000);
  });

  it('relays again what is sent again after it was put aside, behind what was relayed since', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { attempts: 1 });
    const queue = site.queue(driver);
    await driver.migrate();
    recorder.answer = ({ id }) => {
      if (!id.startsWith('poison')) return { ok: true };
      return {
        ok: false,
        outcome: 'NotExecuted',
        error: Object.assign(new Error('no'), { retryable: false }),
      };
    };
    for (let n = 1; n <= 3; n++)
      await site.transaction(tx => queue.publish('order', { n }, { tx, key: 'a', id: `poison ${n}` }));
    const dead = queue.dead('order', 'outbox');
    await eventually(async () => expect(await dead.count()).toBe(3), soon);
    // Until relays look behind the ids of those
    let n = 100;
    const movedAt = performance.now() + 1_000;
    while (performance.now() < movedAt) {
      await site.transaction(tx => queue.publish('order', { n: ++n }, { tx, key: 'a' }));
      await settles(() => expect(recorder.numbers.at(-1)).toBe(n));
    }
    recorder.answer = () => ({ ok: true });
    expect(await dead.redrive()).toBe(3);
    await settles(() => expect(recorder.numbers.slice(-3)).toEqual([1, 2, 3]));
  });

  it('a relay that stood still for longer than its locks last publishes none of the rows that it had read', async () => {
    await using site = new OutboxSite(server.url);
    const stalled = new Recorder();
    let hasRead = () => {};
    let goOn = () => {};
    const reading = new Promise<void>(resolve => {
      hasRead = resolve;
    });
    const going = new Promise<void>(resolve => {
      goOn = resolve;
    });
    let leapMs = 0;
    const clock = {
      now: () => performance.now() + leapMs,
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve, reject) => {
          const timer = setTimeout(resolve, ms);
          const end = () => {
            clearTimeout(timer);
            reject(signal!.reason);
          };
          if (signal?.aborted) end();
          else signal?.addEventListener('abort', end, { once: true });
        }),
    };
    const name = `stalled_${site.table}`;
    const pool = site.newPool({ application_name: name });
    pool.on('error', () => {});
    const still = site.driver(stalled.driver, {
      clock,
      drainMs: 0,
      pool: stallingAfterRead(pool, async () => {
        hasRead();
        await going;
      }),
    });
    await still.migrate();
    const queue = site.queue(still);
    await site.transaction(tx => queue.publish('order', { n: 1 }, { tx, key: 'a' }));
    await reading;
    // As the server does with a transaction that stands still
    await site.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${name}'`,
    );
    const heir = new Recorder();
    site.driver(heir.driver);
    await settles(() => expect(heir.numbers).toEqual([1]));
    await site.transaction(tx => queue.publish('order', { n: 2 }, { tx, key: 'a' }));
    await settles(() => expect(heir.numbers).toEqual([1, 2]));
    leapMs = 3_600_000;
    goOn();
    await still[Symbol.asyncDispose]();
    expect(stalled.numbers).toEqual([]);
  });

  it('is woken by what a process writes that does not relay, which notifies in no transaction of its own', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const relay = site.driver(recorder.driver, { pollMs: never, pool: site.newPool() });
    await relay.migrate();
    const writer = site.driver(recorder.driver, { relay: false, pool: site.newPool({ max: 1 }) });
    const queue = site.queue(writer);
    const listening = `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_notify%' OR query LIKE 'LISTEN%'`;
    await eventually(async () => expect(await site.sql(listening)).not.toEqual([]), soon);
    for (let n = 1; n <= 5; n++) {
      const asked: string[] = [];
      await site.transaction(async tx => {
        const noted = new Proxy(tx, {
          get(target, key) {
            const value: unknown = Reflect.get(target, key, target);
            if (key !== 'query') return typeof value === 'function' ? value.bind(target) : value;
            return (...args: unknown[]) => {
              asked.push(JSON.stringify(args[0]));
              return (value as (...args: unknown[]) => unknown).apply(target, args);
            };
          },
        });
        await queue.publish('order', { n }, { tx: noted, key: 'a' });
      });
      expect(asked).toHaveLength(1);
      expect(asked.join()).not.toMatch(/notify/i);
      await settles(() => expect(recorder.numbers).toHaveLength(n));
    }
  });
});

/** A pool for a relay whose first rows reach it when `until` resolves. */
function stallingAfterRead(pool: PoolLike, until: () => Promise<void>): PoolLike {
  let isFirst = true;
  return intercepted(pool, async ({ text }, ask) => {
    const answer = await ask();
    if (isFirst && /AS body/.test(text) && answer.rows.length > 0) {
      isFirst = false;
      await until();
    }
    return answer;
  });
}
