import { randomUUID } from 'node:crypto';
import { eventually, type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import { messages, Queue } from '../../src/index.ts';

const count = 120;
/** What goes by the clock: looks for stalled jobs, renewed locks. Less than one for each message. */
const byTheClock = count / 2;
const libraries: Readonly<Record<string, BullmqLibrary>> = { '5': five, '6': six };
const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 45_000 });

describeWith([{ own: 'redis' }], 'commands that are sent to Redis for a message', () => {
  let server: RedisServer;
  let admin: Redis;
  let sent = 0;
  let endMonitor = () => {};
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
    const monitor = await admin.monitor();
    // What scripts do is not sent
    monitor.on('monitor', (_time: string, _args: string[], source: string) => {
      if (source !== 'lua') sent++;
    });
    endMonitor = () => monitor.disconnect();
  });
  afterAll(async () => {
    endMonitor();
    admin?.disconnect();
    await server?.stop();
  });

  /** How many are sent until the work is done, and shown. */
  async function sentFor(work: () => Promise<unknown>): Promise<number> {
    await shown();
    const before = sent;
    await work();
    await shown();
    return sent - before;
  }
  /** Resolves when the monitor has shown what was sent before. */
  async function shown(): Promise<void> {
    const before = sent;
    await admin.ping();
    await soon(async () => expect(sent).toBeGreaterThan(before));
  }

  for (const [version, library] of Object.entries(libraries)) {
    const { Queue: Bull, Worker } = library as typeof six;

    /** The library alone, as it is documented. */
    async function alone() {
      const [prefix, connection] = [randomUUID(), { port: server.port, maxRetriesPerRequest: null }];
      const queue = new Bull('work', { connection, prefix });
      onTestFinished(() => queue.close());
      const add = () => queue.add('work', { n: 1 });
      await add();
      const published = await sentFor(async () => {
        for (let n = 1; n < count; n++) await add();
      });
      const consumed = await sentFor(async () => {
        let handled = 0;
        const worker = new Worker('work', async () => void handled++, { connection, prefix, concurrency: 5 });
        onTestFinished(() => worker.close());
        await soon(async () => expect(handled).toBe(count));
      });
      return { published, consumed };
    }

    /** With so many keys, or none. */
    async function ours(keys: number, sharing: { readonly ordered?: boolean; readonly fair?: boolean }) {
      const driver = bullmq({ connection: { port: server.port }, prefix: randomUUID(), library });
      const queue = new Queue(driver, { messages: messages<{ work: { n: number } }>() });
      onTestFinished(() => queue.close());
      await queue.declare('work');
      const publish = (n: number) =>
        queue.publish('work', { n }, keys === 0 ? {} : { key: `tenant ${n % keys}` });
      await publish(0);
      const published = await sentFor(async () => {
        for (let n = 1; n < count; n++) await publish(n);
      });
      const consumed = await sentFor(async () => {
        let handled = 0;
        await queue.subscribe('work', () => void handled++, { concurrency: 5, ...sharing });
        // With one key, by looks alone, one each second, this takes longer than is waited for
        await soon(async () => expect(handled).toBe(count));
      });
      return { published, consumed };
    }

    it.each([
      { how: 'none is added to those of the library', added: 0, keys: 0, sharing: {} },
      { how: 'one is added where keys take turns', added: 1, keys: 10, sharing: { fair: true } },
      { how: 'two are added for one key in order', added: 2, keys: 1, sharing: { ordered: true } },
    ])(`BullMQ ${version}: $how`, async ({ added, keys, sharing }) => {
      const theirs = await alone();
      expect(theirs.published).toBeGreaterThanOrEqual(count - 1);
      expect(theirs.consumed).toBeGreaterThanOrEqual(count);
      const { published, consumed } = await ours(keys, sharing);
      expect(published).toBeLessThan(theirs.published + byTheClock);
      expect(consumed).toBeLessThan(theirs.consumed + added * count + byTheClock);
    });
  }
});
