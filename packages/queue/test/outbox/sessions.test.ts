import { eventually, type Postgres, startPostgres, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UnroutedError } from '../../src/index.ts';
import { meddled } from '../postgres/connections/meddled-pool.ts';
import { OutboxSite, Recorder, settles, soon } from './site.ts';

describeWith('postgres', 'an outbox on sessions that fall silent, forget, or have other defaults', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('who falls silent while it sends dead letters again keeps no other from it', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { attempts: 1 });
    const queue = site.queue(driver);
    await driver.migrate();
    recorder.answer = () => ({ ok: false, outcome: 'NotExecuted', error: new UnroutedError('order') });
    await site.transaction(tx => queue.publish('order', { n: 1 }, { tx }));
    await eventually(async () => expect(await queue.dead('order', 'outbox').count()).toBe(1), soon);
    recorder.answer = () => ({ ok: true });
    await using way = await startTcpProxy({ target: server.port });
    let isSilent = false;
    const connectionString = server.url.replace(`:${server.port}/`, `:${way.port}/`);
    const pool = meddled(site.newPool({ connectionString }), (text, ask) => {
      if (text === 'COMMIT') {
        isSilent = true;
        way.stall();
      }
      return ask();
    });
    const far = site.driver(recorder.driver, { pool, relay: false, timeoutMs: 1_000 });
    const redriving = far.redrive('order', 'outbox', {}).catch(() => {});
    await eventually(async () => expect(isSilent).toBe(true), soon);
    await eventually(async () => expect(await driver.redrive('order', 'outbox', {})).toBe(1), soon);
    await settles(() => expect(recorder.numbers).toEqual([1]));
    way.resume();
    await redriving;
  });

  it('relays publish each message once where transactions are repeatable read by default', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const writer = site.driver(recorder.driver, { relay: false });
    const queue = site.queue(writer);
    await writer.migrate();
    const options = '-c default_transaction_isolation=repeatable\\ read';
    for (let n = 0; n < 4; n++) {
      site.driver(recorder.driver, { pool: site.newPool({ options }), pollMs: 1 });
    }
    const count = 1_200;
    for (let n = 0; n < count; n += 10) {
      const batch = Array.from({ length: 10 }, (_, index) => ({ n: n + index }));
      await site.transaction(tx =>
        queue.publishMany('order', batch, ({ n }) => ({ tx, key: `k${(n as number) % 5}` }) as never),
      );
    }
    await settles(() => expect(new Set(recorder.numbers).size).toBe(count));
    expect(recorder.numbers).toHaveLength(count);
  });

  it('a connection that has forgotten its prepared statements writes with the next transaction', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    const queue = site.queue(driver);
    await driver.migrate();
    const one = site.newPool({ max: 1 });
    const write = async (n: number) => {
      const tx = await one.connect();
      try {
        await tx.query('BEGIN');
        await queue.publish('order', { n }, { tx });
        await tx.query('COMMIT');
      } catch (error) {
        await tx.query('ROLLBACK');
        throw error;
      } finally {
        await tx.query('DISCARD ALL');
        tx.release();
      }
    };
    await write(1);
    await eventually(() => write(2), soon);
    await write(3);
    await settles(() => expect(recorder.numbers).toEqual([1, 2, 3]));
  });
});
