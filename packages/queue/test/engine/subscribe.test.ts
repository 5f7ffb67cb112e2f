import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import {
  type Delivery,
  DeliveryLostError,
  DoNotRetryError,
  DrainTimeoutError,
  type Driver,
  HandlerTimeoutError,
  InvalidPayloadError,
  type MemoryCapabilities,
  memoryDriver,
  messages,
  Queue,
  QueueUnavailableError,
  type SubscribeOptions,
} from '../../src/index.ts';
import { withMethods } from '../support/with-methods.ts';

interface Messages {
  work: { n: number };
}

function setUp(options: { readonly leaseMs?: number } = {}) {
  const clock = new ManualClock();
  const driver = memoryDriver({ clock, ...options });
  const queue = new Queue(driver, { messages: messages<Messages>(), name: 'shop', clock, random: () => 1 });
  const deadTexts = async () => {
    const found: unknown[] = [];
    for await (const { payload, reason } of queue.dead('work')) found.push([payload, reason]);
    return found;
  };
  return { clock, driver, queue, deadTexts };
}

describe('Queue.subscribe', () => {
  it('hands each message to the handler and acknowledges it', async () => {
    const { queue, clock } = setUp();
    const seen: unknown[] = [];
    const subscription = await queue.subscribe('work', ({ n }, context) => {
      const { topic, group, id, key, attempt, idempotencyKey, signal } = context;
      seen.push({ n, topic, group, id, key, attempt, idempotencyKey, aborted: signal.aborted });
    });
    await queue.publish('work', { n: 1 }, { id: 'a', key: 'tenant' });
    await clock.advance(0);
    expect(seen).toEqual([
      {
        n: 1,
        topic: 'work',
        group: 'default',
        id: 'a',
        key: 'tenant',
        attempt: 1,
        idempotencyKey: 'default:work:a',
        aborted: false,
      },
    ]);
    expect(subscription.snapshot()).toMatchObject({ state: 'consuming', handled: 1, running: 0, failed: 0 });
    await queue.close();
    expect(subscription.snapshot().state).toBe('closed');
    expect(queue.snapshot()).toEqual({ name: 'shop', driver: 'memory', state: 'closed', subscriptions: [] });
    expect(clock.sleeping).toBe(0);
  });

  it('runs as many handlers at once as it may', async () => {
    const { queue, clock } = setUp();
    let running = 0;
    let most = 0;
    await queue.subscribe(
      'work',
      async () => {
        most = Math.max(most, ++running);
        await clock.sleep(10);
        running--;
      },
      { concurrency: 4 },
    );
    await queue.publishMany(
      'work',
      Array.from({ length: 20 }, (_, n) => ({ n })),
    );
    await clock.advance(100);
    expect(most).toBe(4);
    expect(running).toBe(0);
    await queue.close();
  });

  it('tries again with growing pauses, and then buries', async () => {
    const { queue, clock, deadTexts } = setUp();
    const at: number[] = [];
    await queue.subscribe(
      'work',
      () => {
        at.push(clock.now());
        throw new TypeError('no such order');
      },
      { attempts: 4, backoff: { firstMs: 100, maxMs: 300 } },
    );
    await queue.publish('work', { n: 7 });
    await clock.advance(10_000);
    expect(at).toEqual([0, 100, 300, 600]);
    expect(await deadTexts()).toEqual([[{ n: 7 }, 'TypeError: no such order']]);
    expect(await queue.dead('work').count()).toBe(1);
    await queue.close();
  });

  it('has five attempts of its own accord', async () => {
    const { queue, clock } = setUp();
    const attempts: number[] = [];
    await queue.subscribe('work', (_, { attempt }) => {
      attempts.push(attempt);
      throw new Error('never');
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(200_000);
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    await queue.close();
  });

  it('buries at once what its handler, `retryIf` or its schema calls hopeless', async () => {
    const { queue, clock, driver, deadTexts } = setUp();
    let calls = 0;
    await queue.subscribe(
      'work',
      ({ n }) => {
        calls++;
        if (n === 1) throw new DoNotRetryError('card expired');
        throw new RangeError('too much');
      },
      { retryIf: error => !(error instanceof RangeError) },
    );
    await queue.publish('work', { n: 1 });
    await queue.publish('work', { n: 2 });
    await driver.publish('work', [{ id: 'x', body: new TextEncoder().encode('{'), headers: {} }]);
    await clock.advance(100_000);
    expect(calls).toBe(2);
    const dead = await deadTexts();
    expect(dead.slice(0, 2)).toEqual([
      [{ n: 1 }, 'DoNotRetryError: card expired'],
      [{ n: 2 }, 'RangeError: too much'],
    ]);
    expect(dead[2]).toEqual([undefined, expect.stringContaining('its body is no JSON')]);
    await queue.close();
  });

  it('goes on when `retryIf` throws, and when a handler throws what is no error', async () => {
    const { queue, clock, deadTexts } = setUp();
    const options: SubscribeOptions<MemoryCapabilities> = {
      attempts: 2,
      retryIf: () => {
        throw new Error('nonsense');
      },
    };
    await queue.subscribe('work', () => Promise.reject(undefined), options);
    await queue.publish('work', { n: 1 });
    await clock.advance(10_000);
    expect(await deadTexts()).toEqual([[{ n: 1 }, 'undefined']]);
    await queue.close();
  });

  it('settles messages whose handler throws what cannot even be looked at', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const cause = () => {
      throw new Error('no');
    };
    const mute = Object.defineProperty(new Error(), 'message', { get: cause });
    const nameless = Object.assign(new Error('x'), { name: Symbol('x') });
    for (const thrown of [proxy, mute, nameless]) {
      const { queue, clock, deadTexts } = setUp();
      const fails = () => {
        throw thrown;
      };
      await queue.subscribe('work', fails, { attempts: 1 });
      await queue.publish('work', { n: 1 });
      await clock.advance(0);
      expect(await deadTexts()).toEqual([[{ n: 1 }, 'Error: what the handler threw cannot be read']]);
      await queue.close();
    }
    const { queue, clock, deadTexts } = setUp();
    const options = { attempts: 1, batch: { size: 2, waitMs: 0 } };
    await queue.subscribe('work', () => [undefined, proxy], options);
    await queue.publishMany('work', [{ n: 1 }, { n: 2 }]);
    await clock.advance(1);
    expect(await deadTexts()).toEqual([[{ n: 2 }, expect.any(String)]]);
    await queue.close();
  });

  it('ends a handler that takes too long, by its signal', async () => {
    const { queue, clock, deadTexts } = setUp();
    const reasons: unknown[] = [];
    await queue.subscribe(
      'work',
      (_, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => reasons.push(signal.reason));
        }),
      { attempts: 2, timeoutMs: 50, backoff: { firstMs: 10 } },
    );
    await queue.publish('work', { n: 1 });
    await clock.advance(1_000);
    expect(reasons).toEqual([expect.any(HandlerTimeoutError), expect.any(HandlerTimeoutError)]);
    expect(await deadTexts()).toEqual([
      [{ n: 1 }, 'HandlerTimeoutError: the handler of "work" did not end within 50 ms'],
    ]);
    await queue.close();
  });

  it('keeps its leases while handlers run, for as long as they take', async () => {
    const { queue, clock } = setUp({ leaseMs: 300 });
    let calls = 0;
    await queue.subscribe('work', async () => {
      calls++;
      await clock.sleep(5_000);
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(6_000);
    expect(calls).toBe(1);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 1, lost: 0 });
    await queue.close();
  });

  it('charges a death to the budget of crashes, and not to that of attempts', async () => {
    const { queue, clock, driver, deadTexts } = setUp({ leaseMs: 100 });
    await queue.declare('work');
    await queue.publish('work', { n: 1 });
    // Three processes die under the message
    for (let death = 0; death < 3; death++) {
      const stop = new AbortController();
      for await (const _ of driver.consume('work', 'default', { prefetch: 1, signal: stop.signal }))
        stop.abort();
      await clock.advance(200);
    }
    const seen: number[] = [];
    const alive = await queue.subscribe(
      'work',
      (_, { attempt }) => {
        seen.push(attempt);
        throw new Error('not yet');
      },
      { attempts: 2, crashes: 3, backoff: { firstMs: 10 } },
    );
    await clock.advance(1_000);
    expect(seen).toEqual([4, 5]);
    expect(await deadTexts()).toEqual([[{ n: 1 }, 'Error: not yet']]);

    await alive.close();

    await queue.dead('work').redrive();

    for (let death = 0; death < 4; death++) {
      const stop = new AbortController();
      for await (const _ of driver.consume('work', 'default', { prefetch: 1, signal: stop.signal }))
        stop.abort();
      await clock.advance(200);
    }
    await queue.subscribe('work', () => expect.unreachable(), { crashes: 3 });
    await clock.advance(1_000);
    expect(await deadTexts()).toEqual([
      [{ n: 1 }, 'its process died, or its lease ended, 4 times while it was handled'],
    ]);
    await queue.close();
  });

  it('aborts a handler whose lease is lost, and settles nothing', async () => {
    const { queue, clock } = setUp({ leaseMs: 300 });
    const reasons: unknown[] = [];
    const heard: unknown[] = [];
    const hear = (message: unknown) => heard.push(message);
    subscribe('ashlar:queue:lost', hear);
    try {
      await queue.subscribe(
        'work',
        async (_, { signal, attempt }) => {
          if (attempt > 1) return;
          signal.addEventListener('abort', () => reasons.push(signal.reason));
          // The event loop stands still for longer than the lease
          stall(clock, 1_000);
          await clock.sleep(1);
        },
        { concurrency: 2 },
      );
      await queue.publish('work', { n: 1 }, { id: 'slow' });
      await clock.advance(5_000);
    } finally {
      unsubscribe('ashlar:queue:lost', hear);
    }
    expect(heard).toEqual([
      expect.objectContaining({ id: 'slow', attempt: 1, error: expect.any(DeliveryLostError) }),
    ]);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 1, lost: 1 });
    await queue.close();
  });

  it('leaves a message of a newer form to a newer worker, however long it takes', async () => {
    const { queue, clock, deadTexts } = setUp();
    const old: number[] = [];
    const subscription = await queue.subscribe('work', ({ n }) => void old.push(n), { version: 1 });
    await queue.publish('work', { n: 1 }, { version: 1 });
    await queue.publish('work', { n: 2 }, { version: 2 });
    await queue.publish('work', { n: 3 });
    await clock.advance(600_000);
    expect(old).toEqual([1, 3]);
    expect(await deadTexts()).toEqual([]);
    await subscription.close();
    const fresh: [number, number][] = [];
    await queue.subscribe('work', ({ n }, { attempt }) => void fresh.push([n, attempt]), { version: 2 });
    await clock.advance(10_000);
    expect(fresh).toEqual([[2, 1]]);
    await queue.close();
  });

  it('validates by schema on both sides', async () => {
    const even = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value: unknown) =>
          Number(value) % 2 === 0
            ? { value: { half: Number(value) / 2 } }
            : { issues: [{ message: 'must be even', path: ['at', { key: 0 }] }] },
        types: undefined as undefined | { input: number; output: { half: number } },
      },
    } as const;
    const clock = new ManualClock();
    const driver = memoryDriver({ clock });
    await using queue = new Queue(driver, { messages: messages({ even }), clock });
    const halves: number[] = [];
    await queue.subscribe('even', ({ half }) => void halves.push(half));
    await queue.publish('even', 4);
    await expect(queue.publish('even', 5)).rejects.toThrow('is invalid: at.0: must be even');
    await expect(queue.publishMany('even', [2, 5])).rejects.toThrow(InvalidPayloadError);
    await driver.publish('even', [{ id: 'odd', body: new TextEncoder().encode('7'), headers: {} }]);
    await clock.advance(10);
    expect(halves).toEqual([2]);
    let letter: unknown;
    for await (const each of queue.dead('even')) letter = each;
    expect(letter).toMatchObject({ id: 'odd', payload: 7, reason: expect.stringContaining('must be even') });
    expect(() => messages({ even: {} } as never)).toThrow(/Standard Schema/);
  });

  it('drains: what runs may end, and nothing else begins', async () => {
    const { queue, clock, driver } = setUp();
    const ended: number[] = [];
    await queue.subscribe(
      'work',
      async ({ n }) => {
        await clock.sleep(500);
        ended.push(n);
      },
      { concurrency: 2 },
    );
    await queue.publishMany('work', [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await clock.advance(100);
    const [subscription] = queue.snapshot().subscriptions;
    expect(subscription).toMatchObject({ running: 2, oldestMs: 100 });
    const closing = queue.close();
    await clock.advance(399);
    expect(ended).toEqual([]);
    await clock.advance(1);
    await closing;
    expect(ended).toEqual([1, 2]);
    expect(clock.sleeping).toBe(0);
    await expect(driver.stats!('work', 'default')).rejects.toThrow();
  });

  it('aborts what does not end in time, and gives it back uncharged', async () => {
    const { queue, clock, driver } = setUp();
    const reasons: unknown[] = [];
    const subscription = await queue.subscribe('work', async (_, { signal }) => {
      await clock.sleep(60_000, signal).catch(error => {
        reasons.push(error);
        throw error;
      });
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(10);
    const closing = subscription.close({ timeoutMs: 1_000 });
    await clock.advance(1_000);
    await closing;
    expect(reasons).toEqual([expect.any(DrainTimeoutError)]);
    expect(await driver.stats!('work', 'default')).toMatchObject({ waiting: 1, active: 0, dead: 0 });
    const attempts: number[] = [];
    await queue.subscribe('work', (_, { attempt }) => void attempts.push(attempt));
    await clock.advance(10);
    expect(attempts).toEqual([1]);
    await queue.close();
  });

  it('stays open when it is closed with wrong options', async () => {
    const { queue, clock } = setUp();
    const subscription = await queue.subscribe('work', () => {});
    await expect(queue.close({ timeoutMs: -1 })).rejects.toThrow(/`timeoutMs` must be/);
    expect(queue.snapshot().state).toBe('open');
    await queue.publish('work', { n: 1 });
    await queue.close();
    expect(subscription.snapshot().state).toBe('closed');
    expect(clock.sleeping).toBe(0);
  });

  it('closes although a handler heeds nothing', async () => {
    const { queue, clock } = setUp();
    await queue.subscribe('work', () => new Promise(() => {}));
    await queue.publish('work', { n: 1 });
    await clock.advance(10);
    const closing = queue.close({ timeoutMs: 100 });
    await clock.advance(5_000);
    await closing;
  });

  it('says why it fails, and goes on when the driver does', async () => {
    const { queue, clock, driver } = setUp();
    let isBroken = true;
    const broken: Driver<MemoryCapabilities> = {
      capabilities: driver.capabilities,
      declare: (...args) => driver.declare(...args),
      publish: (...args) => driver.publish(...args),
      consume: (...args) => {
        if (isBroken) throw new Error('no such queue');
        return driver.consume(...args);
      },
      [Symbol.asyncDispose]: async () => {},
    };
    const failing = new Queue(broken, { messages: messages<Messages>(), clock });
    const seen: number[] = [];
    await failing.subscribe('work', ({ n }) => void seen.push(n));
    await failing.publish('work', { n: 1 });
    await clock.advance(3_000);
    expect(failing.health()).toEqual({
      ok: false,
      subscriptions: [{ topic: 'work', group: 'default', ok: false, reason: 'Error: no such queue' }],
    });
    isBroken = false;
    await clock.advance(3_000);
    expect(seen).toEqual([1]);
    expect(failing.health().ok).toBe(true);
    await failing.close();
    await queue.close();
  });

  it('stays healthy while there is nothing to do, where the driver does not say that it is alive', async () => {
    const { queue, clock } = setUp();
    await queue.subscribe('work', () => {});
    await queue.publish('work', { n: 1 });
    await clock.advance(3_600_000);
    expect(queue.health().ok).toBe(true);
    await queue.close();
  });

  it('runs no more handlers than it may after the driver has lost its connection', async () => {
    const { queue, clock, driver } = setUp();
    const breaks = new Set<() => void>();
    const shaky = withMethods(driver, {
      consume: (...args) => untilBroken(driver.consume(...args), breaks),
    });
    const subscribed = new Queue(shaky, { messages: messages<Messages>(), clock });
    let running = 0;
    let most = 0;
    const handled: number[] = [];
    await subscribed.subscribe(
      'work',
      async ({ n }) => {
        most = Math.max(most, ++running);
        await clock.sleep(4_000);
        running--;
        handled.push(n);
      },
      { concurrency: 3 },
    );
    for (let n = 0; n < 9; n++) await queue.publish('work', { n });
    await clock.advance(10);
    for (let losses = 0; losses < 2; losses++) {
      for (const lose of breaks) lose();
      await clock.advance(1_000);
    }
    await clock.advance(30_000);
    expect(most).toBe(3);
    expect(handled.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await subscribed.close();
    await queue.close();
  });

  it('gives back uncharged what it has no place for when it closes', async () => {
    const { queue, clock, driver } = setUp();
    const breaks = new Set<() => void>();
    const shaky = withMethods(driver, {
      consume: (...args) => untilBroken(driver.consume(...args), breaks),
      [Symbol.asyncDispose]: async () => {},
    });
    const subscribed = new Queue(shaky, { messages: messages<Messages>(), clock });
    await subscribed.subscribe('work', () => clock.sleep(1_000), { concurrency: 2 });
    for (let n = 0; n < 4; n++) await queue.publish('work', { n });
    await clock.advance(10);
    for (const lose of breaks) lose();
    await clock.advance(500);
    const closing = subscribed.close();
    await clock.advance(1_000);
    await closing;
    const attempts: number[] = [];
    await queue.subscribe('work', (_, { attempt }) => void attempts.push(attempt));
    await clock.advance(10);
    expect(attempts).toEqual([1, 1]);
    await queue.close();
  });

  it('refuses wrong options', async () => {
    const { queue } = setUp();
    const wrong = [
      { group: '' },
      { group: 'a b' },
      { concurrency: 0 },
      { attempts: 0 },
      { crashes: -1 },
      { timeoutMs: 0 },
      { backoff: { first: 1 } },
      { backoff: 5 },
      { retryIf: true },
      { limits: { rate: { count: 1 } } },
      { limits: { rate: 5 } },
      { ordered: 'yes' },
      { concurency: 1 },
    ];
    for (const options of wrong) {
      await expect(queue.subscribe('work', () => {}, options as never)).rejects.toThrow(
        expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' }),
      );
    }
    await expect(queue.subscribe('work', undefined as never)).rejects.toThrow(/handler/);
    await queue.close();
    await expect(queue.close({ timeoutMs: -1 })).rejects.toThrow('`timeoutMs`');
  });
});

/** Time passes without any timer running, as when the event loop is blocked. */
function stall(clock: ManualClock, ms: number): void {
  const until = clock.now() + ms;
  clock.now = () => Math.max(until, ManualClock.prototype.now.call(clock));
}

/** Throws once it is broken, as an iteration over a connection does that is lost. */
async function* untilBroken(
  deliveries: AsyncIterable<Delivery>,
  breaks: Set<() => void>,
): AsyncGenerator<Delivery> {
  const lost = new Promise<never>((_, reject) => {
    breaks.add(() => reject(new QueueUnavailableError('for the test', 'Unknown')));
  });
  lost.catch(() => {});
  const iterator = deliveries[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([iterator.next(), lost]);
    if (next.done) return;
    yield next.value;
  }
}
