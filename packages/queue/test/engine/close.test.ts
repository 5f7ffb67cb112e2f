import { setTimeout as delay } from 'node:timers/promises';
import { ManualClock } from '@ashlar/core/testing';
import { memoryStore } from '@ashlar/store';
import { describe, expect, it } from 'vitest';
import {
  DrainTimeoutError,
  type Driver,
  type HandlerContext,
  type MemoryCapabilities,
  memoryDriver,
  messages,
  Queue,
  type SubscribeOptions,
  type Subscription,
} from '../../src/index.ts';
import { TestQueue } from '../../src/testing.ts';

interface Messages {
  work: { n: number };
}

function setUp() {
  const clock = new ManualClock();
  const queue = new Queue(memoryDriver({ clock }), {
    messages: messages<Messages>(),
    clock,
    random: () => 1,
  });
  return { clock, queue };
}

/** What became of a promise so far. */
function watched(promise: Promise<unknown>): { state: 'pending' | 'resolved' | 'rejected' } {
  const watch: { state: 'pending' | 'resolved' | 'rejected' } = { state: 'pending' };
  promise.then(
    () => {
      watch.state = 'resolved';
    },
    () => {
      watch.state = 'rejected';
    },
  );
  return watch;
}

const never = () => new Promise<never>(() => {});
const untilAborted = ({ signal }: HandlerContext) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('closing again', () => {
  for (const of of ['subscription', 'queue'] as const) {
    it(`shortens the time that a ${of} waits, and never lengthens it`, async () => {
      const { queue, clock } = setUp();
      let context: HandlerContext | undefined;
      const subscription = await queue.subscribe('work', (_, given) => {
        context = given;
        return untilAborted(given);
      });
      await queue.publish('work', { n: 1 });
      await clock.advance(0);
      const closable = of === 'queue' ? queue : subscription;
      const first = watched(closable.close({ timeoutMs: 60_000 }));
      await clock.advance(1_000);
      const second = watched(closable.close({ timeoutMs: 500 }));
      const third = watched(closable.close({ timeoutMs: 90_000 }));
      await clock.advance(499);
      expect([first.state, second.state, context?.signal.aborted]).toEqual(['pending', 'pending', false]);
      await clock.advance(1);
      expect(context?.signal.reason).toBeInstanceOf(DrainTimeoutError);
      expect(context?.signal.reason).toMatchObject({ timeoutMs: 500 });
      expect([first.state, second.state, third.state]).toEqual(['resolved', 'resolved', 'resolved']);
      await queue.close();
      expect(clock.sleeping).toBe(0);
    });
  }

  it('ends at once with a limit of zero, while another still waits', async () => {
    const { queue, clock } = setUp();
    await queue.subscribe('work', () => never());
    await queue.publish('work', { n: 1 });
    await clock.advance(0);
    const first = watched(queue.close());
    await clock.advance(0);
    const second = watched(queue.close({ timeoutMs: 0 }));
    await clock.advance(1_000); // what a handler has after its signal
    expect([first.state, second.state]).toEqual(['resolved', 'resolved']);
  });

  it('refuses a limit that is none, and closes on', async () => {
    const { queue, clock } = setUp();
    const subscription = await queue.subscribe('work', () => never());
    await queue.publish('work', { n: 1 });
    await clock.advance(0);
    const first = watched(queue.close({ timeoutMs: 100 }));
    await expect(queue.close({ timeoutMs: -1 })).rejects.toThrow('`timeoutMs`');
    await expect(subscription.close({ timeoutMs: Number.NaN })).rejects.toThrow('`timeoutMs`');
    await clock.advance(1_100);
    expect(first.state).toBe('resolved');
  });

  it('does not wait longer than it may for a driver whose iteration does not end', async () => {
    const clock = new ManualClock();
    const real = memoryDriver({ clock });
    const driver: Driver = Object.assign(Object.create(real) as Driver, {
      capabilities: real.capabilities,
      declare: real.declare.bind(real),
      consume: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }),
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    });
    const queue = new Queue(driver, { messages: messages<Messages>(), clock });
    await queue.subscribe('work', () => {});
    const closed = watched(queue.close({ timeoutMs: 2_000 }));
    await clock.advance(1_999);
    expect(closed.state).toBe('pending');
    await clock.advance(1_001);
    expect(closed.state).toBe('resolved');
  });
});

describe('closing within a handler', () => {
  const ways: Record<string, (close: () => Promise<void>) => unknown> = {
    'at once': close => close(),
    'after it has waited': async close => {
      await null;
      await delay(1);
      await close();
    },
    'in what it calls': async close => {
      const finish = async () => {
        await delay(1);
        return close();
      };
      await Promise.all([finish(), delay(1)]);
    },
    'in a callback of a promise': close => delay(1).then(() => close()),
    'in an event': close =>
      new Promise<void>((resolve, reject) => {
        setImmediate(() => close().then(resolve, reject));
      }),
  };
  const settings: Record<string, () => SubscribeOptions<MemoryCapabilities>> = {
    'one by one': () => ({}),
    'with idempotency': () => ({ idempotency: { store: memoryStore() } }),
    'in batches': () => ({ batch: { size: 1 } }) as SubscribeOptions<MemoryCapabilities>,
    'with a time limit': () => ({ timeoutMs: 60_000 }),
  };
  for (const [when, way] of Object.entries(ways)) {
    for (const [how, options] of Object.entries(settings)) {
      for (const of of ['subscription', 'queue'] as const) {
        it(`${of}, ${when}, ${how}: does not wait for that handler, which is settled as it ends`, async () => {
          const queue = new Queue(memoryDriver(), { messages: messages<Messages>(), name: 'within' });
          let subscription!: Subscription;
          const ended = new Promise<unknown[]>(resolve => {
            const handler = async (_: unknown, context: HandlerContext) => {
              await way(() => (of === 'queue' ? queue : subscription).close({ within: context }));
              resolve([subscription.snapshot().state, subscription.snapshot().running]);
            };
            void queue.subscribe('work', handler, options()).then(async made => {
              subscription = made;
              await queue.publish('work', { n: 1 });
            });
          });
          expect(await ended).toEqual(['draining', 1]);
          await queue.close();
          expect(subscription.snapshot()).toMatchObject({ state: 'closed', handled: 1, failed: 0, lost: 0 });
        }, 5_000);
      }
    }
  }

  it('waits for the others, and each of several that close for all but these', async () => {
    const { queue, clock } = setUp();
    const ends: string[] = [];
    const subscription: Subscription = await queue.subscribe('work', async ({ n }, context) => {
      await clock.sleep(n === 0 ? 5_000 : 1);
      if (n !== 0) await subscription.close({ within: context });
      ends.push(`${n} at ${clock.now()}`);
    });
    for (let n = 0; n < 3; n++) await queue.publish('work', { n });
    await clock.advance(4_999);
    expect(ends).toEqual([]);
    const outside = watched(subscription.close());
    await clock.advance(1);
    expect(ends.sort()).toEqual(['0 at 5000', '1 at 5000', '2 at 5000']);
    expect(outside.state).toBe('resolved');
    expect(subscription.snapshot()).toMatchObject({ state: 'closed', handled: 3 });
    await queue.close();
  });

  it('of another subscription waits for that, and ends the whole queue', async () => {
    const { queue, clock } = setUp();
    const seen: string[] = [];
    const other = await queue.subscribe('work', () => clock.sleep(700).then(() => seen.push('other')), {
      group: 'other',
    });
    await queue.subscribe('work', async (_, context) => {
      await other.close();
      seen.push('closed other');
      await queue.close({ within: context });
      seen.push('closed all');
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(0);
    expect(seen).toEqual([]);
    await clock.advance(700);
    expect(seen).toEqual(['other', 'closed other', 'closed all']);
    await queue.close();
    expect(queue.snapshot().state).toBe('closed');
  });

  it('keeps what fails afterwards, and gives back what does not end', async () => {
    const { queue, clock } = setUp();
    const subscription: Subscription = await queue.subscribe('work', async ({ n }, context) => {
      await subscription.close({ timeoutMs: 100, within: context });
      if (n === 1) throw new Error('after closing');
      await never();
    });
    await queue.publish('work', { n: 1 });
    await queue.publish('work', { n: 2 });
    await clock.advance(100);
    expect(subscription.snapshot()).toMatchObject({ state: 'closed', failed: 1, lost: 0 });
    expect(await queue.stats('work')).toMatchObject({ waiting: 1, delayed: 1, active: 0 });
    await queue.close();
  });

  it('not awaited by the handler: whoever closes waits for that too', async () => {
    const { queue, clock } = setUp();
    const seen: string[] = [];
    await queue.subscribe('work', async () => {
      void queue.close().then(() => seen.push('closed'));
      await clock.sleep(500);
      seen.push('handled');
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(499);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(['handled', 'closed']);
  });

  it('that waits for itself is aborted when the time is over, and told why; its message is given back', async () => {
    const { queue, clock } = setUp();
    let signal: AbortSignal | undefined;
    const subscription: Subscription = await queue.subscribe('work', async (_, context) => {
      signal = context.signal;
      await subscription.close({ timeoutMs: 100 });
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(100);
    expect(signal?.reason).toBeInstanceOf(DrainTimeoutError);
    expect(String(signal?.reason)).toContain('`close({ within: context })`');
    await clock.advance(1_000);
    expect(subscription.snapshot()).toMatchObject({ state: 'closed', handled: 0, failed: 0, lost: 0 });
    expect(await queue.stats('work')).toMatchObject({ waiting: 1, active: 0 });
    await queue.close();
  });

  it('with the context of a handler that has ended, or of another queue: waits for all, and for the driver', async () => {
    const { queue, clock } = setUp();
    const other = setUp();
    const contexts: HandlerContext[] = [];
    await other.queue.subscribe('work', (_, context) => contexts.push(context) && never());
    await other.queue.publish('work', { n: 1 });
    await other.clock.advance(0);
    await queue.subscribe('work', async ({ n }, context) => {
      contexts.push(context);
      if (n === 2) await clock.sleep(500);
    });
    await queue.publish('work', { n: 1 });
    await clock.advance(0);
    await queue.publish('work', { n: 2 });
    await clock.advance(0);
    expect(contexts).toHaveLength(3);
    const closes = contexts.slice(0, 2).map(within => watched(queue.close({ within })));
    await clock.advance(499);
    expect(closes.map(({ state }) => state)).toEqual(['pending', 'pending']);
    await clock.advance(1);
    expect(closes.map(({ state }) => state)).toEqual(['resolved', 'resolved']);
    const closed = watched(other.queue.close({ timeoutMs: 0 }));
    await other.clock.advance(1_000);
    expect(closed.state).toBe('resolved');
  });

  it('refuses what is no context of a handler, and closes nothing', async () => {
    const { queue } = setUp();
    const subscription = await queue.subscribe('work', () => {});
    for (const within of [null, 1, 'context', {}, { items: [{}] }, { items: 1 }]) {
      const options = { within } as unknown as { readonly within: HandlerContext };
      await expect(subscription.close(options)).rejects.toThrow('`within`');
      await expect(queue.close(options)).rejects.toThrow('`within`');
    }
    expect(queue.snapshot().state).toBe('open');
    expect(subscription.snapshot().state).toBe('consuming');
    await queue.close();
  });

  it('in a test queue too', async () => {
    const queue = new TestQueue({ messages: messages<Messages>() });
    const subscription: Subscription = await queue.subscribe('work', async (_, context) => {
      await delay(1);
      await subscription.close({ within: context });
    });
    await queue.publish('work', { n: 1 });
    expect(queue.spy.handled('work')).toHaveLength(1);
    await queue.close();
  });
});
