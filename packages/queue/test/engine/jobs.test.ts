import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { memoryStore } from '@ashlar/store';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { DeliveryLostError, memoryDriver, messages, Queue, UnsupportedError } from '../../src/index.ts';

interface Messages {
  work: { n: number };
}

function setUp(options: { readonly leaseMs?: number } = {}) {
  const clock = new ManualClock();
  const driver = memoryDriver({ clock, ...options });
  return {
    clock,
    driver,
    queue: new Queue(driver, { messages: messages<Messages>(), clock, random: () => 1 }),
  };
}

const payloads = (count: number) => Array.from({ length: count }, (_, n) => ({ n }));

describe('batches', () => {
  it('gathers messages until there are enough, or the first has waited', async () => {
    const { queue, clock } = setUp();
    const seen: number[][] = [];
    await queue.subscribe(
      'work',
      (batch, context) => {
        expectTypeOf(batch).toEqualTypeOf<readonly { n: number }[]>();
        expect(context.items.map(({ attempt }) => attempt)).toEqual(batch.map(() => 1));
        seen.push(batch.map(({ n }) => n));
      },
      { batch: { size: 4, waitMs: 50 } },
    );
    await queue.publishMany('work', payloads(10));
    await clock.advance(10);
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    await clock.advance(50);
    expect(seen[2]).toEqual([8, 9]);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 10, running: 0 });
    await queue.close();
  });

  it('keeps the leases of what it gathers, for as long as the first waits', async () => {
    const { queue, clock } = setUp({ leaseMs: 300 });
    const seen: number[][] = [];
    await queue.subscribe(
      'work',
      batch => {
        seen.push(batch.map(({ n }) => n));
      },
      { batch: { size: 4, waitMs: 5_000 } },
    );
    await queue.publishMany('work', payloads(2));
    await clock.advance(6_000);
    expect(seen).toEqual([[0, 1]]);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 2, lost: 0 });
    await queue.close();
  });

  it('settles each message by its own result', async () => {
    const { queue, clock } = setUp();
    const seen: number[][] = [];
    await queue.subscribe(
      'work',
      batch => {
        seen.push(batch.map(({ n }) => n));
        return batch.map(({ n }) => (n % 2 === 1 ? new Error(`odd: ${n}`) : undefined));
      },
      { batch: { size: 4 }, attempts: 2, backoff: { firstMs: 100 } },
    );
    await queue.publishMany('work', payloads(4));
    await clock.advance(1_000);
    expect(seen).toEqual([
      [0, 1, 2, 3],
      [1, 3],
    ]);
    const reasons: string[] = [];
    for await (const { reason } of queue.dead('work')) reasons.push(reason);
    expect(reasons).toEqual(['Error: odd: 1', 'Error: odd: 3']);
    await queue.close();
  });

  it('keeps the result of each message of a batch', async () => {
    const { queue, clock } = setUp();
    await queue.subscribe('work', batch => batch.map(({ n }) => ({ doubled: 2 * n })), {
      batch: { size: 3 },
      results: true,
    });
    await queue.publishMany('work', payloads(3), ({ n }) => ({ id: `job ${n}` }));
    await clock.advance(10);
    const results = await Promise.all([0, 1, 2].map(n => queue.find('work', `job ${n}`)));
    expect(results.map(job => job?.result)).toEqual([{ doubled: 0 }, { doubled: 2 }, { doubled: 4 }]);
    await queue.close();
  });

  it('fails all of a batch whose handler throws, is late, or returns nonsense', async () => {
    for (const [handler, reason] of [
      [() => Promise.reject(new Error('down')), 'Error: down'],
      [() => new Promise(() => {}), 'HandlerTimeoutError: the handler of "work" did not end within 50 ms'],
      [
        () => [1],
        'TypeError: a handler of batches must return nothing, or an array of 2 results; got an array of 1',
      ],
    ] as const) {
      const { queue, clock } = setUp();
      await queue.subscribe('work', handler, { batch: { size: 2 }, attempts: 1, timeoutMs: 50 });
      await queue.publishMany('work', payloads(2));
      await clock.advance(1_000);
      const reasons: string[] = [];
      for await (const letter of queue.dead('work')) reasons.push(letter.reason);
      expect(reasons).toEqual([reason, reason]);
      await queue.close();
    }
  });

  it('drains what it has gathered', async () => {
    const { queue, clock } = setUp();
    const seen: number[][] = [];
    await queue.subscribe('work', batch => void seen.push(batch.map(({ n }) => n)), {
      batch: { size: 100, waitMs: 60_000 },
    });
    await queue.publishMany('work', payloads(3));
    await clock.advance(1);
    await queue.close();
    expect(seen).toEqual([[0, 1, 2]]);
    expect(clock.sleeping).toBe(0);
  });

  it('refuses what it cannot combine', async () => {
    const { queue } = setUp();
    for (const options of [{ ordered: true }, { idempotency: {} }]) {
      const subscribed = queue.subscribe('work', () => {}, { batch: { size: 2 }, ...options } as never);
      await expect(subscribed).rejects.toThrow(
        expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' }),
      );
    }
    await queue.close();
  });
});

describe('jobs', () => {
  it('are found by their id, with progress and result', async () => {
    const { queue, clock } = setUp();
    await queue.subscribe(
      'work',
      async ({ n }, { progress }) => {
        await progress({ percent: 50 });
        await clock.sleep(100);
        return { doubled: 2 * n };
      },
      { results: true },
    );
    await queue.publish('work', { n: 21 }, { id: 'job' });
    await clock.advance(10);
    expect(await queue.find('work', 'job')).toMatchObject({ state: 'active', progress: { percent: 50 } });
    await clock.advance(100);
    expect(await queue.find('work', 'job')).toMatchObject({
      id: 'job',
      state: 'done',
      result: { doubled: 42 },
    });
    expect(await queue.find('work', 'unheard of')).toBeUndefined();
    await queue.close();
  });

  it('are handled although their handler returns nothing to keep', async () => {
    const { queue, clock } = setUp();
    await queue.subscribe('work', () => {}, { results: true });
    await queue.publish('work', { n: 1 }, { id: 'job' });
    await clock.advance(10);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 1, failed: 0, dead: 0 });
    await queue.close();
  });

  it.each([
    ['alone', {}],
    ['with idempotency', { idempotency: { store: memoryStore(), mode: 'external' as const } }],
  ])('are acknowledged although their result has no JSON form, which is reported: %s', async (_, more) => {
    const { queue, clock } = setUp();
    const dropped: unknown[] = [];
    const listen = (message: unknown) => void dropped.push(message);
    subscribe('ashlar:queue:result-dropped', listen);
    let calls = 0;
    const handler = ({ n }: { n: number }) => {
      calls++;
      return n === 1 ? { at: new Date(0) } : new Uint8Array([n]);
    };
    await queue.subscribe('work', handler, { results: true, ...more });
    await queue.publish('work', { n: 1 }, { id: 'date' });
    await queue.publish('work', { n: 2 }, { id: 'bytes' });
    await clock.advance(30_000);
    unsubscribe('ashlar:queue:result-dropped', listen);
    expect(calls).toBe(2);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({
      ...{ handled: 2, failed: 0, dead: 0, lost: 0, resultsDropped: 2 },
    });
    expect(dropped).toMatchObject([
      {
        topic: 'work',
        group: 'default',
        id: 'date',
        attempt: 1,
        error: { code: 'ASHLAR_QUEUE_INVALID_PAYLOAD' },
      },
      { id: 'bytes' },
    ]);
    expect(await queue.find('work', 'date')).toBeUndefined();
    await queue.close();
  });

  it('refuse a progress that has no JSON form', async () => {
    const { queue, clock } = setUp();
    const refused: unknown[] = [];
    await queue.subscribe('work', async (_, { progress }) => {
      await progress(new Uint8Array([1])).catch(error => refused.push(error));
      await clock.sleep(100);
    });
    await queue.publish('work', { n: 1 }, { id: 'job' });
    await clock.advance(10);
    expect(refused).toMatchObject([{ code: 'ASHLAR_QUEUE_INVALID_PAYLOAD' }]);
    expect(await queue.find('work', 'job')).toMatchObject({ state: 'active', progress: undefined });
    await clock.advance(100);
    await queue.close();
  });

  it('are canceled, also while they run', async () => {
    const { queue, clock } = setUp({ leaseMs: 300 });
    const reasons: unknown[] = [];
    await queue.subscribe('work', async (_, { signal }) => {
      await clock.sleep(60_000, signal).catch(error => reasons.push(error));
    });
    await queue.publish('work', { n: 1 }, { id: 'job' });
    await clock.advance(10);
    expect(await queue.cancel('work', 'job')).toBe(true);
    await clock.advance(100);
    expect(reasons).toEqual([expect.any(DeliveryLostError)]);
    expect(await queue.cancel('work', 'job')).toBe(false);
    await queue.close();
  });

  it('stop coming while their group is paused', async () => {
    const { queue, clock } = setUp();
    const seen: number[] = [];
    await queue.subscribe('work', ({ n }) => void seen.push(n));
    await queue.pause('work');
    await queue.publish('work', { n: 1 });
    await clock.advance(1_000);
    expect(seen).toEqual([]);
    expect(await queue.stats('work')).toEqual({ waiting: 1, delayed: 0, active: 0, dead: 0 });
    await queue.resume('work');
    await clock.advance(1);
    expect(seen).toEqual([1]);
    await queue.close();
  });

  it('are refused where the driver keeps none', async () => {
    const { driver } = setUp();
    const { find: _, cancel: __, ...methods } = driver;
    const plain = {
      ...methods,
      capabilities: { ...driver.capabilities, jobs: false as const },
      declare: driver.declare.bind(driver),
      publish: driver.publish.bind(driver),
      consume: driver.consume.bind(driver),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    };
    await using queue = new Queue(plain, { messages: messages<Messages>() });
    await expect(queue.find('work', 'id')).rejects.toThrow(UnsupportedError);
    // @ts-expect-error the driver keeps no jobs
    await expect(queue.subscribe('work', () => {}, { results: true })).rejects.toThrow(UnsupportedError);
  });

  it('are dropped for another with the same key', async () => {
    const { queue, clock } = setUp();
    await queue.declare('work');
    const deduplication = { key: 'report', mode: 'simple' } as const;
    expect(await queue.publish('work', { n: 1 }, { id: 'a', deduplication })).toEqual({ id: 'a' });
    expect(await queue.publish('work', { n: 2 }, { id: 'b', deduplication })).toEqual({
      id: 'b',
      isDuplicate: true,
    });
    for (const wrong of [
      { key: 'x' },
      { key: 'x', mode: 'throttle' },
      { key: 'x', mode: 'simple', ttlMs: 5 },
      'x',
    ]) {
      await expect(queue.publish('work', { n: 1 }, { deduplication: wrong as never })).rejects.toThrow(
        expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' }),
      );
    }
    await clock.advance(1);
    await queue.close();
  });
});
