import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryDriver, PublishError, type WarningMessage } from '../../src/index.ts';
import { clients } from '../transactions/clients.ts';
import { OutboxSite, Recorder, settles, soon } from './site.ts';

describeWith('postgres', 'an outbox', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  for (const [name, open] of Object.entries(clients)) {
    it(`publishes what a transaction of ${name} commits, and nothing of one that is rolled back`, async () => {
      await using site = new OutboxSite(server.url);
      const recorder = new Recorder();
      const driver = site.driver(recorder.driver);
      const queue = site.queue(driver);
      await driver.migrate();
      const client = await open(server.url);
      try {
        const undone = client.transaction(async tx => {
          await queue.publish('order', { n: 1 }, { tx, key: 'a' });
          throw new Error('no');
        });
        await expect(undone).rejects.toThrow('no');
        const id = await client.transaction(async tx => {
          await queue.publishMany('order', [{ n: 2 }, { n: 3 }], { tx, key: 'a' });
          const { id } = await queue.publish(
            'order',
            { n: 4 },
            { tx, key: 'a', headers: { mark: '? $1 \u0000' } },
          );
          expect(recorder.numbers).toEqual([]);
          return id;
        });
        await settles(() => expect(recorder.numbers).toEqual([2, 3, 4]));
        expect(recorder.ids.at(-1)).toBe(id);
        await eventually(async () => expect(await site.waiting()).toBe(0), soon);
      } finally {
        await client.close();
      }
    });
  }

  it('hands messages on as they are', async () => {
    await using site = new OutboxSite(server.url);
    const driver = site.driver(memoryDriver());
    const queue = site.queue(driver);
    const got: unknown[] = [];
    await queue.subscribe('order', (payload, { key, headers, id }) => {
      got.push({
        payload,
        key,
        id,
        mark: headers['mark'],
        version: headers['ce-schemaversion'],
        type: headers['ce-type'],
      });
    });
    const options = {
      id: 'x',
      key: 'ключ',
      headers: { mark: '"\\ \u0000?' },
      version: 3,
      priority: 9,
      delayMs: 1,
    };
    await site.transaction(tx => queue.publish('order', { n: 1 }, { ...options, tx }));
    const { id, key, headers } = options;
    await settles(() =>
      expect(got).toEqual([{ payload: { n: 1 }, key, id, ...headers, version: '3', type: 'order' }]),
    );
  });

  it('drops a message whose time is over before it is relayed', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const writer = site.driver(recorder.driver, { relay: false });
    await writer.migrate();
    await site.transaction(async tx => {
      await site.queue(writer).publish('order', { n: 1 }, { tx, expiresInMs: 1 });
      await site.queue(writer).publish('order', { n: 2 }, { tx, expiresInMs: 60_000 });
      await tx.query('SELECT pg_sleep(0.01)');
    });
    const relay = site.driver(recorder.driver);
    await eventually(async () => expect(await site.waiting()).toBe(0), soon);
    expect(recorder.numbers).toEqual([2]);
    expect(relay.snapshot()).toMatchObject({ relayed: 1, expired: 1 });
  });

  it('relays a transaction that commits after later ones', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(async slow => {
      await queue.publish('order', { n: 1 }, { tx: slow });
      await site.transaction(tx => queue.publish('order', { n: 2 }, { tx }));
      await settles(() => expect(recorder.numbers).toEqual([2]));
    });
    await settles(() => expect(recorder.numbers).toEqual([2, 1]));
  });

  it('keeps the order of a key although transactions commit in another', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    const queue = site.queue(driver);
    await driver.migrate();
    let second: Promise<unknown> | undefined;
    await site.transaction(async first => {
      await queue.publish('order', { n: 1 }, { tx: first, key: 'a' });
      second = site.transaction(tx => queue.publish('order', { n: 2 }, { tx, key: 'a' }));
      // Another key is not held up; and the second waits for the first
      await site.transaction(tx => queue.publish('order', { n: 3 }, { tx, key: 'b' }));
      await settles(() => expect(recorder.numbers).toEqual([3]));
      await queue.publish('order', { n: 1.5 }, { tx: first, key: 'a' });
    });
    await second;
    await settles(() => expect(recorder.numbers).toEqual([3, 1, 1.5, 2]));
  });

  it('locks the keys of a batch in one order, so that two batches never wait for each other', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { relay: false });
    const queue = site.queue(driver);
    await driver.migrate();
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    const batches = Array.from({ length: 40 }, (_, batch) =>
      batch % 2 === 0 ? numbers : numbers.toReversed(),
    );
    await Promise.all(
      batches.map(batch =>
        site.transaction(async tx => {
          await queue.publishMany(
            'order',
            batch.map(n => ({ n })),
            ({ n }) => ({ tx, key: `k${n}` }),
          );
        }),
      ),
    );
    expect(await site.waiting()).toBe(40 * 30);
  });

  it('shares a backlog between relays, each message once and each key in order', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const writer = site.driver(recorder.driver, { relay: false });
    const queue = site.queue(writer);
    await writer.migrate();
    const all = Array.from({ length: 20_000 }, (_, n) => ({ n }));
    await site.transaction(tx =>
      queue.publishMany('order', all, ({ n }) => ({ tx, ...(n % 2 === 0 && { key: `key-${n % 500}` }) })),
    );
    const relays = [1, 2, 3].map(() => site.driver(recorder.driver, { pool: site.newPool() }));
    await eventually(async () => expect(recorder.numbers.length).toBe(all.length), { withinMs: 60_000 });
    expect(new Set(recorder.ids).size).toBe(all.length);
    const last = new Map<number, number>();
    for (const n of recorder.numbers.filter(n => n % 2 === 0)) {
      expect(n).toBeGreaterThan(last.get(n % 500) ?? -1);
      last.set(n % 500, n);
    }
    const shares = relays.map(relay => relay.snapshot().relayed);
    expect(Math.min(...shares)).toBeGreaterThan(0);
    await eventually(async () => expect((await writer.lag()).waiting).toBe(0), soon); // The last are still being deleted
  });

  it('relays what is committed before it closes', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver, { pollMs: 60_000 });
    const queue = site.queue(driver);
    await driver.migrate();
    const all = Array.from({ length: 3_000 }, (_, n) => ({ n }));
    await site.transaction(tx => queue.publishMany('order', all, { tx }));
    await queue.close();
    expect(recorder.numbers.length).toBe(all.length);
    expect(driver.snapshot().state).toBe('closed');
  });

  it('finds what another process has written, without a wake', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const relay = site.driver(recorder.driver, { pollMs: 50 });
    const writer = site.driver(recorder.driver, { relay: false });
    await relay.migrate();
    await site.transaction(tx => site.queue(writer).publish('order', { n: 1 }, { tx }));
    await settles(() => expect(recorder.numbers).toEqual([1]));
  });

  it('warns of a transaction that holds it up, and measures its lag', async () => {
    await using site = new OutboxSite(server.url);
    const driver = site.driver(memoryDriver(), { relay: false, longTransactionMs: 1 });
    const queue = site.queue(driver);
    await queue.declare('order');
    const warnings: WarningMessage[] = [];
    const listen = (message: unknown) => void warnings.push(message as WarningMessage);
    subscribe('ashlar:queue:warning', listen);
    try {
      await site.transaction(tx => queue.publish('order', { n: 1 }, { tx }));
      await site.transaction(async tx => {
        await queue.publish('order', { n: 2 }, { tx });
        await tx.query('SELECT pg_sleep(0.01)');
        const lag = await driver.lag();
        expect(lag.waiting).toBe(1);
        expect(lag.oldestMs).toBeGreaterThanOrEqual(10);
        expect(lag.longestTransactionMs).toBeGreaterThanOrEqual(10);
      });
    } finally {
      unsubscribe('ashlar:queue:warning', listen);
    }
    const about = warnings.filter(({ driver }) => driver === 'memory with an outbox');
    expect(about.map(({ warning }) => warning)).toEqual([
      expect.stringMatching(/transaction \(pid \d+\) has been open for 0 s: its messages are not published/),
    ]);
  });

  it('refuses a transaction that has not begun, and one without an outbox', async () => {
    await using site = new OutboxSite(server.url);
    const queue = site.queue(site.driver(memoryDriver()));
    await queue.declare('order');
    const tx = site.pool as never;
    await expect(queue.publish('order', { n: 1 }, { tx })).rejects.toMatchObject({ option: 'tx' });
    const plain = site.queue(memoryDriver());
    await expect(plain.publish('order', { n: 1 }, { tx } as never)).rejects.toMatchObject({
      code: 'ASHLAR_QUEUE_UNSUPPORTED',
      feature: 'tx',
    });
    await expect(plain.publishMany('order', [{ n: 1 }], { tx } as never)).rejects.toMatchObject({
      feature: 'tx',
    });
    await expect(queue.declare('order', 'outbox')).rejects.toThrow(/dead letters/);
  });

  it('rejects with the error of the database, and names the missing table', async () => {
    await using site = new OutboxSite(server.url);
    const queue = site.queue(site.driver(memoryDriver(), { relay: false }));
    const missing = site.transaction(tx => queue.publish('order', { n: 1 }, { tx }));
    await expect(missing).rejects.toMatchObject({ code: PublishError.code, cause: { code: '42P01' } });
    const many = site.transaction(tx => queue.publishMany('order', [{ n: 1 }, { n: 2 }], { tx }));
    await expect(many).rejects.toMatchObject({ code: PublishError.code, cause: { code: '42P01' } });
  });

  it('refuses batches of several transactions, and texts that PostgreSQL does not have', async () => {
    await using site = new OutboxSite(server.url);
    const driver = site.driver(memoryDriver(), { relay: false });
    const queue = site.queue(driver);
    await driver.migrate();
    await site.transaction(async tx => {
      const mixed = queue.publishMany('order', [{ n: 1 }, { n: 2 }], ({ n }) => (n === 1 ? { tx } : {}));
      await expect(mixed).rejects.toMatchObject({ option: 'tx' });
      await expect(queue.publish('order', { n: 1 }, { tx, key: '\0' })).rejects.toMatchObject({
        option: 'key',
      });
      await queue.publish('order', { n: 3 }, { tx });
    });
    expect(await site.waiting()).toBe(1);
  });
});
