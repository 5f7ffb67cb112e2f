import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { QueueFullError, type ReadDeadLetter, UnroutedError } from '../../src/index.ts';
import { OutboxSite, Recorder, settles, soon } from './site.ts';

describeWith('postgres', 'an outbox whose driver fails', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it('keeps the order of a key over a failure in the middle, and holds up no other key', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    const queue = site.queue(driver);
    await driver.migrate();
    let isFull = true;
    recorder.answer = ({ key }) => {
      const isRefused = key === 'a' && isFull && recorder.numbers.includes(1);
      const error = new QueueFullError('order', 'default', 1);
      return isRefused ? { ok: false, outcome: 'NotExecuted', error } : { ok: true };
    };
    await site.transaction(async tx => {
      await queue.publishMany('order', [{ n: 1 }, { n: 2 }, { n: 3 }], { tx, key: 'a' });
      await queue.publishMany('order', [{ n: 10 }, { n: 11 }], { tx, key: 'b' });
    });
    await settles(() => expect(recorder.numbers.toSorted((a, b) => a - b)).toEqual([1, 10, 11]));
    isFull = false;
    await settles(() => expect(recorder.numbers.filter(n => n < 10)).toEqual([1, 2, 3]));
    expect(driver.snapshot()).toMatchObject({ quarantined: 0 });
  });

  it('puts a message aside that the driver refuses again and again, and lets the next of its key pass', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { attempts: 3, backoff: { firstMs: 1, maxMs: 10 } });
    const queue = site.queue(driver);
    await driver.migrate();
    let refusals = 0;
    recorder.answer = message => {
      if (message.id !== 'poison') return { ok: true };
      refusals++;
      return { ok: false, outcome: 'NotExecuted', error: new UnroutedError('order') };
    };
    await site.transaction(async tx => {
      await queue.publish('order', { n: 1 }, { tx, key: 'a', id: 'poison' });
      await queue.publish('order', { n: 2 }, { tx, key: 'a' });
      await queue.publish('order', { n: 3 }, { tx, key: 'b' });
    });
    await settles(() => expect(recorder.numbers).toEqual([3, 2]));
    expect(refusals).toBe(3);
    const dead = queue.dead('order', 'outbox');
    await eventually(async () => expect(await dead.count()).toBe(1), soon);
    const letters: ReadDeadLetter[] = [];
    for await (const each of dead) letters.push(each);
    const [letter] = letters;
    expect(letter).toMatchObject({ id: 'poison', key: 'a', payload: { n: 1 }, failures: 3, group: 'outbox' });
    expect(letter?.reason).toMatch(/UnroutedError.*no group/);
    expect(driver.snapshot()).toMatchObject({ quarantined: 1, state: 'relaying' });
    recorder.answer = () => ({ ok: true });
    expect(await dead.redrive({ ids: ['other'] })).toBe(0);
    expect(await dead.redrive({ ids: ['poison'] })).toBe(1);
    await settles(() => expect(recorder.numbers).toEqual([3, 2, 1]));
    expect(await dead.count()).toBe(0);
  });

  it('waits for a driver that is away, and charges no message for it', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { attempts: 1 });
    const queue = site.queue(driver);
    await driver.migrate();
    let failures = 0;
    recorder.answer = () => {
      failures++;
      throw Object.assign(new Error('connection refused'), { retryable: true });
    };
    await site.transaction(tx => queue.publish('order', { n: 1 }, { tx, key: 'a' }));
    await settles(() => expect(failures).toBeGreaterThan(4));
    expect(driver.snapshot()).toMatchObject({ state: 'failing', error: expect.stringContaining('refused') });
    recorder.answer = () => ({ ok: true });
    await settles(() => expect(recorder.numbers).toEqual([1]));
    expect(await queue.dead('order', 'outbox').count()).toBe(0);
    await settles(() => expect(driver.snapshot()).toMatchObject({ state: 'relaying' }));
  });

  it('holds up no topic for the backlog of another that the driver cannot take, and drains that in the end', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    let isFull = true;
    recorder.answer = (_, topic) => {
      const error = new QueueFullError(topic, 'default', 1);
      return isFull && topic === 'order' ? { ok: false, outcome: 'NotExecuted', error } : { ok: true };
    };
    const driver = site.driver(recorder.driver, { attempts: 1, drainMs: 20_000 });
    const queue = site.queue(driver);
    await driver.migrate();
    const backlog = Array.from({ length: 6_000 }, (_, n) => ({ n }));
    await site.transaction(tx => queue.publishMany('order', backlog, { tx }));
    await site.transaction(tx => queue.publish('other', { n: -1 }, { tx }));
    await settles(() => expect(recorder.numbers).toEqual([-1]));
    const failing = { state: 'failing', error: expect.stringContaining('maximum') };
    await settles(() => expect(driver.snapshot()).toMatchObject(failing));
    const [touched] = await site.sql(
      `SELECT count(*) FROM ${site.table} WHERE due IS NOT NULL OR failures > 0`,
    );
    expect(touched).toEqual({ count: '0' });
    const closed = queue.close();
    isFull = false;
    await closed;
    expect(recorder.numbers).toHaveLength(1 + backlog.length);
  });
});
