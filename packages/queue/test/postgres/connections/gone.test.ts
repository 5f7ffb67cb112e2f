import { once } from 'node:events';
import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { messages, Queue } from '../../../src/index.ts';
import { QueueTables } from '../queue-tables.ts';

const soon = { timeout: 30_000 };

describeWith('postgres', 'a group of postgresDriver that is gone', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  it.each([{}, { ordered: true }])(
    'health fails when its row was deleted, and is well after another declaration %j',
    async how => {
      const tables = new QueueTables(server.url);
      onTestFinished(() => tables[Symbol.asyncDispose]());
      const driver = tables.driver();
      await driver.migrate();
      const queue = new Queue(driver, { messages: messages<{ work: number }>() });
      onTestFinished(() => queue.close());
      const handled: number[] = [];
      await queue.subscribe('work', n => void handled.push(n), how);
      await queue.publish('work', 1);
      await expect.poll(() => handled, soon).toEqual([1]);
      await tables.sql(`DELETE FROM ${tables.prefix}_groups`);
      await expect.poll(() => queue.health().ok, soon).toBe(false);
      expect(queue.health().subscriptions[0]!.reason).toContain('GroupGoneError');
      await queue.declare('work');
      await expect.poll(() => queue.health().ok, soon).toBe(true);
      await queue.publish('work', 2);
      await expect.poll(() => handled, soon).toEqual([1, 2]);
    },
  );

  it('health fails also while all places are taken', async () => {
    const tables = new QueueTables(server.url);
    onTestFinished(() => tables[Symbol.asyncDispose]());
    const driver = tables.driver({ leaseMs: 3_600_000 });
    await driver.migrate();
    const queue = new Queue(driver, { messages: messages<{ work: number }>() });
    onTestFinished(() => queue.close({ timeoutMs: 0 }));
    const begun: number[] = [];
    const endless = async (n: number, { signal }: { readonly signal: AbortSignal }) => {
      begun.push(n);
      await once(signal, 'abort');
    };
    await queue.subscribe('work', endless, { concurrency: 1 });
    await queue.publish('work', 1);
    await expect.poll(() => begun, soon).toEqual([1]);
    await tables.sql(`DELETE FROM ${tables.prefix}_groups`);
    await expect.poll(() => queue.health().subscriptions[0]!.reason, soon).toContain('GroupGoneError');
  });
});
