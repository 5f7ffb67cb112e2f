import { ManualClock } from '@ashlar/core/testing';
import { Fence, memoryStore, type Store, StoreUnavailableError } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import {
  type Driver,
  type MemoryCapabilities,
  type MemoryDriver,
  memoryDriver,
  messages,
  Queue,
} from '../../src/index.ts';
import { withMethods } from '../support/with-methods.ts';

interface Messages {
  charge: { order: string; cents: number };
}

/** The first acknowledgement is lost. */
function losingFirstAck(driver: MemoryDriver): Driver<MemoryCapabilities> {
  let losesAck = true;
  async function* consume(...args: Parameters<Driver['consume']>) {
    for await (const delivery of driver.consume(...args)) {
      if (losesAck) delivery.ack = () => Promise.reject(new Error('connection reset'));
      losesAck = false;
      yield delivery;
    }
  }
  return withMethods<Driver<MemoryCapabilities>>(driver, { consume });
}

function setUp() {
  const clock = new ManualClock();
  const driver = memoryDriver({ clock });
  const store = memoryStore({ clock });
  const queueOver = (over: Driver<(typeof driver)['capabilities']> = driver) =>
    new Queue(over, { messages: messages<Messages>(), clock, random: () => 1 });
  const reasons = async (queue: ReturnType<typeof queueOver>) => {
    const found: string[] = [];
    for await (const { reason } of queue.dead('charge')) found.push(reason);
    return found;
  };
  return { clock, driver, store, queue: queueOver(), queueOver, reasons };
}

describe('idempotency', () => {
  it('handles a message once although its acknowledgement is lost', async () => {
    const { clock, driver, store, queueOver } = setUp();
    await using queue = queueOver(losingFirstAck(driver));
    const keys: string[] = [];
    await queue.subscribe('charge', (_, { idempotencyKey }) => void keys.push(idempotencyKey), {
      idempotency: { store, mode: 'external' },
    });
    await queue.publish('charge', { order: '1', cents: 100 }, { id: 'order-1' });
    await clock.advance(60_000);
    expect(keys).toEqual(['default:charge:order-1']);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 1, lost: 1, running: 0 });
  });

  it('replays the result of an attempt whose acknowledgement is lost', async () => {
    const { clock, driver, store, queueOver } = setUp();
    await using queue = queueOver(losingFirstAck(driver));
    let calls = 0;
    await queue.subscribe('charge', () => ({ receipt: ++calls }), {
      idempotency: { store, mode: 'external' },
      results: true,
    });
    await queue.publish('charge', { order: '1', cents: 100 }, { id: 'order-1' });
    await clock.advance(60_000);
    expect(calls).toBe(1);
    expect(await queue.find('charge', 'order-1')).toMatchObject({ state: 'done', result: { receipt: 1 } });
  });

  it('frees the message at once when its handler fails', async () => {
    const { clock, store, queue } = setUp();
    const at: number[] = [];
    await queue.subscribe(
      'charge',
      () => {
        at.push(clock.now());
        if (at.length < 3) throw new Error('card service away');
      },
      { idempotency: { store, leaseMs: 60_000 }, backoff: { firstMs: 100 } },
    );
    await queue.publish('charge', { order: '1', cents: 100 });
    await clock.advance(1_000);
    expect(at).toEqual([0, 100, 300]);
    await queue.close();
  });

  it('lets one of many repetitions run at a time, and the others be done with it', async () => {
    const { clock, store, queue } = setUp();
    let running = 0;
    let runs = 0;
    const handler = async () => {
      expect(++running).toBe(1);
      runs++;
      await clock.sleep(500);
      running--;
    };
    const options = { idempotency: { store, key: ({ order }: { order: string }) => order }, concurrency: 50 };
    await queue.subscribe('charge', handler, options);
    const same = Array.from({ length: 50 }, () => ({ order: 'same', cents: 1 }));
    await queue.publishMany('charge', same);
    await clock.advance(30_000);
    expect(runs).toBe(1);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 50, failed: 0, dead: 0 });
    await queue.close();
  });

  it('buries another payload under the same key', async () => {
    const { clock, store, queue, reasons } = setUp();
    const seen: number[] = [];
    await queue.subscribe('charge', ({ cents }) => void seen.push(cents), {
      idempotency: { store, key: ({ order }: { order: string }) => order },
    });
    await queue.publish('charge', { order: '1', cents: 100 }, { id: 'first' });
    await clock.advance(10);
    await queue.publish('charge', { order: '1', cents: 999 }, { id: 'second' });
    await clock.advance(60_000);
    expect(seen).toEqual([100]);
    expect(await reasons(queue)).toEqual([
      expect.stringContaining('message "second" has another payload than the one that was handled as'),
    ]);
    await queue.close();
  });

  it('gives each attempt a greater token, so that a sink refuses the superseded', async () => {
    const { clock, store, queue } = setUp();
    const fence = new Fence('the ledger');
    const tokens: bigint[] = [];
    let zombie: (() => void) | undefined;
    await queue.subscribe(
      'charge',
      async (_, context) => {
        tokens.push(context.token!);
        if (tokens.length === 1) {
          zombie = () => fence.admit(context.fence!);
          throw new Error('gives up, and writes later all the same');
        }
        fence.admit(context.fence!);
      },
      { idempotency: { store, mode: 'fenced' }, backoff: { firstMs: 10 } },
    );
    await queue.publish('charge', { order: '1', cents: 100 });
    await clock.advance(1_000);
    expect(tokens).toHaveLength(2);
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
    expect(() => zombie!()).toThrow(expect.objectContaining({ code: 'ASHLAR_STORE_STALE_TOKEN' }));
    await queue.close();
  });

  it('charges no failure while its store is away, and goes on when it is back', async () => {
    const { clock, store, queue } = setUp();
    let isAway = true;
    const flaky = new Proxy(store, {
      get(target, name) {
        const found = Reflect.get(target, name) as unknown;
        if (typeof found !== 'function') return found;
        return (...args: unknown[]) =>
          isAway
            ? Promise.reject(new StoreUnavailableError('away', 'NotExecuted'))
            : found.apply(target, args);
      },
    }) as Store;
    const attempts: number[] = [];
    await queue.subscribe('charge', (_, { attempt }) => void attempts.push(attempt), {
      idempotency: { store: flaky },
      attempts: 2,
    });
    await queue.publish('charge', { order: '1', cents: 100 });
    await clock.advance(60_000);
    expect(attempts).toEqual([]);
    isAway = false;
    await clock.advance(5_000);
    expect(attempts).toEqual([1]);
    await queue.close();
  });

  it('forgets after its retention', async () => {
    const { clock, store, queue } = setUp();
    let runs = 0;
    await queue.subscribe('charge', () => void runs++, {
      idempotency: { store, key: () => 'same', retentionMs: 1_000 },
    });
    await queue.publish('charge', { order: '1', cents: 1 });
    await clock.advance(500);
    await queue.publish('charge', { order: '1', cents: 1 });
    await clock.advance(600);
    expect(runs).toBe(1);
    await queue.publish('charge', { order: '1', cents: 1 });
    await clock.advance(100);
    expect(runs).toBe(2);
    await queue.close();
  });

  it('buries a message whose key makes no sense', async () => {
    const { clock, store, queue, reasons } = setUp();
    await queue.subscribe('charge', () => expect.unreachable(), {
      idempotency: { store, key: () => undefined as never },
      attempts: 2,
    });
    await queue.publish('charge', { order: '1', cents: 1 });
    await clock.advance(60_000);
    expect(await reasons(queue)).toEqual([
      'TypeError: `idempotency.key` must return a string that is not empty, got undefined',
    ]);
    await queue.close();
  });

  it('refuses wrong options', async () => {
    const { queue, store } = setUp();
    const wrong = [
      {},
      { store: {} },
      { store, mode: 'transaction' },
      { store, leaseMs: 1 },
      { store, retentionMs: 0 },
      { store, key: 'id' },
      { store, kind: 'external' },
    ];
    for (const idempotency of wrong) {
      await expect(
        queue.subscribe('charge', () => {}, { idempotency: idempotency as never }),
      ).rejects.toThrow(expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' }));
    }
    await queue.close();
  });
});
