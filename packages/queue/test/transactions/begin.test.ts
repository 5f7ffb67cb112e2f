import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryDriver, type PostponedMessage, type TransactionContext } from '../../src/index.ts';
import { OutboxSite } from '../outbox/site.ts';

const soon = { withinMs: 20_000 };
type Run = (tx: PoolClient) => Promise<void>;

describeWith('postgres', '`begin` and `key` of idempotency', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  /** Handles one message, with a `begin` that is made of one that is sound. */
  async function handled(
    wrap: (sound: (run: Run) => Promise<void>, isHandler: () => boolean) => (run: Run) => Promise<unknown>,
    more: { readonly handler?: () => unknown; readonly key?: () => string } = {},
  ) {
    await using site = new OutboxSite(server.url);
    const table = `inbox_${site.table}`;
    site.afterwards(() => site.sql(`DROP TABLE IF EXISTS ${table}`));
    const sound = async (run: Run) => {
      const client = await site.pool.connect();
      try {
        await client.query('BEGIN');
        await run(client);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    };
    const postponed: PostponedMessage[] = [];
    const listen = (message: unknown) => void postponed.push(message as PostponedMessage);
    subscribe('ashlar:queue:postponed', listen);
    site.afterwards(async () => unsubscribe('ashlar:queue:postponed', listen));
    let calls = 0;
    let began = 0;
    const begin = wrap(sound, () => ++began > 1); // The first makes the table
    const queue = site.queue(memoryDriver());
    const subscription = await queue.subscribe(
      'order',
      async (_: unknown, context: TransactionContext<PoolClient>) => {
        calls++;
        await context.tx.query('SELECT 1');
        return more.handler?.();
      },
      {
        attempts: 2,
        backoff: { firstMs: 1 },
        idempotency: { mode: 'transaction', begin, table, ...(more.key && { key: more.key }) },
      },
    );
    await queue.publish('order', { n: 1 });
    await eventually(async () => {
      const { handled, dead } = subscription.snapshot();
      expect(handled + dead + (postponed.length > 1 ? 1 : 0)).toBeGreaterThan(0);
    }, soon);
    const reasons: string[] = [];
    for await (const { reason } of queue.dead('order')) reasons.push(reason);
    return { calls, reasons, postponed, ...subscription.snapshot() };
  }

  it('that throws or rejects gives the message back, and says so', async () => {
    for (const how of ['throws', 'rejects']) {
      const { calls, dead, postponed, lost } = await handled(() => () => {
        if (how === 'throws') throw new TypeError('of begin');
        return Promise.reject(new TypeError('of begin'));
      });
      expect({ calls, dead, lost }).toEqual({ calls: 0, dead: 0, lost: 0 });
      expect(postponed[0]?.error).toMatchObject({ code: 'ASHLAR_QUEUE_ONCE_UNAVAILABLE' });
    }
  });

  it('that does not call what it is given fails the message', async () => {
    const { calls, reasons } = await handled((sound, isHandler) => async run => {
      if (!isHandler()) await sound(run);
    });
    expect(calls).toBe(0);
    expect(reasons).toEqual([expect.stringContaining('`idempotency.begin` has not called')]);
  });

  it('that swallows the error of the handler does not hide it', async () => {
    const { calls, reasons } = await handled(sound => run => sound(run).catch(() => {}), {
      handler: () => {
        throw new RangeError('of the handler');
      },
    });
    expect(calls).toBe(2);
    expect(reasons).toEqual(['RangeError: of the handler']);
  });

  it('with a key that no index takes buries the message in the end', async () => {
    // Random, as what repeats is compressed before it is measured
    const long = Array.from({ length: 20_000 }, () => Math.random().toString(36).slice(2)).join('');
    const { calls, reasons } = await handled(sound => sound, { key: () => long });
    expect(calls).toBe(0);
    expect(reasons).toEqual([expect.stringContaining('index row')]);
  });
});
