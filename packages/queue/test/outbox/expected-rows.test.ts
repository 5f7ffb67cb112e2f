import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PoolLike } from '../../src/transactions/pool.ts';
import { intercepted } from '../support/intercepted-pool.ts';
import { OutboxSite, Recorder, settles } from './site.ts';

/** Longer than a test takes. */
const never = 600_000;

/** A pool that tells of how many lanes each look is. */
function watched(pool: PoolLike, looked: (lanes: number) => void): PoolLike {
  return intercepted(pool, ({ text, values: [floors] = [] }, ask) => {
    const lanes = String(floors).split(',');
    if (text.startsWith('WITH busy')) looked(lanes.filter(floor => !floor.includes('NULL')).length);
    return ask();
  });
}

describeWith('postgres', 'a relay that knows what its process has written', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('looks for it in its lanes alone, until it is committed', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const looks: number[] = [];
    const pool = watched(site.pool, lanes => looks.push(lanes));
    const driver = site.driver(recorder.driver, { pool, pollMs: never });
    const queue = site.queue(driver);
    await driver.migrate();
    // What the listener was told when it began is over
    await settles(() => expect(looks.length).toBeGreaterThan(0));
    let n = 0;
    await site.transaction(async tx => {
      await settles(() => expect(looks.at(-1)).toBe(64));
      const deadline = performance.now() + 20_000;
      while (!looks.includes(1) && performance.now() < deadline) {
        const before = looks.length;
        await queue.publish('order', { n: ++n }, { tx, key: 'a' });
        await settles(() => expect(looks.length).toBeGreaterThan(before));
      }
    });
    expect(looks).toContain(1);
    await settles(() => expect(recorder.numbers).toEqual(Array.from({ length: n }, (_, index) => index + 1)));
  });

  it('finds beside that what others have written, of which nothing tells', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { pollMs: never });
    const queue = site.queue(driver);
    await driver.migrate();
    let n = 0;
    const one = async () => {
      await site.transaction(tx => queue.publish('order', { n: ++n }, { tx, key: `${n}` }));
      await settles(() => expect(recorder.numbers).toContain(n));
    };
    await one();
    await site.sql(`INSERT INTO ${site.table} (lane, topic, name, key, body, rest)
      SELECT lane, 'order', 'other ' || lane, 'k', convert_to('{"n":' || -1 - lane || '}', 'UTF8'), '{"headers":{}}'
      FROM generate_series(0, 63) AS lane`);
    const deadline = performance.now() + 20_000;
    while (recorder.numbers.filter(each => each < 0).length < 64 && performance.now() < deadline) await one();
    expect(recorder.numbers.filter(each => each < 0)).toHaveLength(64);
  });

  it('finds it also when it is committed long after', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { pollMs: 50 });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(async tx => {
      await queue.publish('order', { n: 1 }, { tx, key: 'a' });
      const waitedUntil = performance.now() + 1_500;
      while (performance.now() < waitedUntil) {
        await site.transaction(other => queue.publish('order', { n: 2 }, { tx: other, key: 'b' }));
      }
    });
    await settles(() => expect(recorder.numbers).toContain(1));
  });
});
