import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { memoryStore } from '@ashlar/store';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type FailedMessage,
  InvalidPayloadError,
  type MemoryCapabilities,
  memoryDriver,
  messages,
  type PostponedMessage,
  Queue,
  type QueueOptions,
  type SubscribeOptions,
} from '../../src/index.ts';

interface Messages {
  work: { n: number };
}

/** What nobody has caught, which would end the process. */
const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);
beforeEach(() => {
  uncaught.length = 0;
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});
afterEach(async () => {
  await new Promise(resolve => setImmediate(resolve));
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  expect(uncaught).toEqual([]);
});

function setUp(more: Partial<QueueOptions<Messages>> = {}) {
  const clock = new ManualClock();
  const driver = memoryDriver({ clock });
  const queue = new Queue(driver, {
    messages: messages<Messages>(),
    clock,
    random: () => 1,
    ...more,
  });
  return { clock, driver, queue };
}

async function deadOf(queue: Queue<Messages, MemoryCapabilities>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { reason } of queue.dead('work')) found.push(reason);
  return found;
}

/** A schema whose `validate` does what is asked of it. */
function schema(validate: (value: unknown) => unknown): StandardSchemaV1<{ n: number }> {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } };
}

/** Runs `work` with a listener to what fails. */
async function failures(work: () => Promise<void>): Promise<FailedMessage[]> {
  const seen: FailedMessage[] = [];
  const listen = (message: unknown) => void seen.push(message as FailedMessage);
  subscribe('ashlar:queue:failed', listen);
  try {
    await work();
  } finally {
    unsubscribe('ashlar:queue:failed', listen);
  }
  return seen;
}

describe('`retryIf`', () => {
  const failing = async (retryIf: SubscribeOptions<MemoryCapabilities>['retryIf'], passMs = 200_000) => {
    const { queue, clock } = setUp();
    const attempts: number[] = [];
    const handler = (_: unknown, { attempt }: { attempt: number }) => {
      attempts.push(attempt);
      throw new RangeError('no');
    };
    const subscription = await queue.subscribe('work', handler, { attempts: 3, retryIf: retryIf! });
    await queue.publish('work', { n: 1 });
    await clock.advance(passMs);
    const { lost, dead } = subscription.snapshot();
    const reasons = await deadOf(queue);
    await queue.close();
    return { attempts, lost, dead, reasons };
  };
  const once = { attempts: [1], lost: 0, dead: 1, reasons: ['RangeError: no'] };
  const thrice = { attempts: [1, 2, 3], lost: 0, dead: 1, reasons: ['RangeError: no'] };

  it('may answer later', async () => {
    expect(await failing(async () => false)).toEqual(once);
    expect(await failing(async () => true)).toEqual(thrice);
    expect(await failing(async error => !(error instanceof RangeError))).toEqual(once);
  });

  it('has not said no when it throws, rejects, or answers what is no answer', async () => {
    const boom = () => {
      throw new Error('of retryIf');
    };
    expect(await failing(boom)).toEqual(thrice);
    expect(await failing(async () => boom())).toEqual(thrice);
    expect(await failing((() => undefined) as never)).toEqual(thrice);
    const thenable = Object.defineProperty({}, 'then', { get: boom });
    expect(await failing((() => thenable) as never)).toEqual(thrice);
    expect(await failing((() => Object.defineProperty({}, 'then', { value: boom })) as never)).toEqual(
      thrice,
    );
  });

  it('is not waited for without end', async () => {
    expect(await failing(() => new Promise(() => {}))).toEqual(thrice);
  });

  it('holds up no closing, and its message is given back', async () => {
    const { queue, clock, driver } = setUp();
    const subscription = await queue.subscribe(
      'work',
      () => {
        throw new Error('no');
      },
      { retryIf: () => new Promise(() => {}) },
    );
    await queue.publish('work', { n: 1 });
    await clock.advance(0);
    const closed = subscription.close({ timeoutMs: 100 });
    await clock.advance(100);
    await closed;
    expect(subscription.snapshot()).toMatchObject({ state: 'closed', running: 0, lost: 0 });
    expect(await driver.stats!('work', 'default')).toMatchObject({ waiting: 1, active: 0 });
    await queue.close();
  });

  it('shows its own error beside that of the handler', async () => {
    const error = new Error('of retryIf');
    const seen = await failures(async () => {
      await failing(() => {
        throw error;
      });
      await failing(() => Promise.reject(error));
    });
    expect(seen.map(({ retryIfError }) => retryIfError)).toContain(error);
    // The last attempt asks nobody
    expect(seen.filter(({ retryIfError }) => retryIfError === error)).toHaveLength(4);
  });
});

describe('`random`', () => {
  const kinds: Record<string, () => number> = {
    throws: () => {
      throw new Error('of random');
    },
    'gives what is no number': () => Number.NaN,
    'gives too much': () => 1e9,
    'gives less than nothing': () => -5,
  };
  for (const [what, random] of Object.entries(kinds)) {
    it(`that ${what} loses no message, and makes no pause longer than it may be`, async () => {
      const { queue, clock, driver } = setUp({ random });
      let attempts = 0;
      const subscription = await queue.subscribe(
        'work',
        () => {
          if (++attempts < 3) throw new Error('no');
        },
        { backoff: { firstMs: 100, maxMs: 100 } },
      );
      await queue.publish('work', { n: 1 });
      await clock.advance(200);
      expect(subscription.snapshot()).toMatchObject({ handled: 1, failed: 2, lost: 0 });
      await queue.close();
      await expect(driver.stats!('work', 'default')).rejects.toThrow();
    });

    it(`that ${what} does not end consuming when the driver fails`, async () => {
      const clock = new ManualClock();
      const real = memoryDriver({ clock });
      let isBroken = true;
      const driver = Object.assign(Object.create(real) as typeof real, {
        capabilities: real.capabilities,
        declare: real.declare.bind(real),
        publish: real.publish.bind(real),
        consume: (...args: Parameters<typeof real.consume>) => {
          if (isBroken) throw new Error('no connection');
          return real.consume(...args);
        },
        [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
      });
      const queue = new Queue(driver, { messages: messages<Messages>(), clock, random });
      const subscription = await queue.subscribe('work', () => {});
      await queue.publish('work', { n: 1 });
      await clock.advance(1_000);
      isBroken = false;
      await clock.advance(2_000);
      expect(subscription.snapshot()).toMatchObject({ state: 'consuming', handled: 1 });
      await queue.close();
    });
  }
});

describe('a schema', () => {
  const consumed = async (validate: (value: unknown) => unknown, more: object = {}) => {
    const { queue, clock, driver } = setUp({ messages: messages({ work: schema(validate) }) as never });
    const subscription = await queue.subscribe('work', () => {}, { attempts: 2, ...more });
    await driver.publish('work', [{ id: 'a', body: Buffer.from('{"n":1}'), headers: {} }]);
    await clock.advance(100_000);
    const { handled, failed, lost, dead } = subscription.snapshot();
    const reasons = await deadOf(queue);
    return { queue, clock, driver, subscription, counts: { handled, failed, lost, dead }, reasons };
  };
  const boom = () => {
    throw new SyntaxError('of the schema');
  };

  it('that throws or rejects is an error for who publishes, and a failed attempt for who consumes', async () => {
    for (const validate of [boom, async () => boom()]) {
      const { queue, counts, reasons } = await consumed(validate);
      expect(counts).toEqual({ handled: 0, failed: 2, lost: 0, dead: 1 });
      expect(reasons).toEqual(['SyntaxError: of the schema']);
      await expect(queue.publish('work', { n: 1 })).rejects.toThrow('of the schema');
      await expect(queue.publishMany('work', [{ n: 1 }])).rejects.toThrow('of the schema');
      await queue.close();
    }
  });

  for (const nonsense of [undefined, null, 7, 'yes', true]) {
    it(`that answers ${nonsense} says so`, async () => {
      const { queue, reasons, counts } = await consumed(() => nonsense);
      expect(counts).toEqual({ handled: 0, failed: 2, lost: 0, dead: 1 });
      expect(reasons).toEqual([expect.stringContaining('the schema of "work" must return')]);
      await expect(queue.publish('work', { n: 1 })).rejects.toThrow('the schema of "work" must return');
      await queue.close();
    });
  }

  const issues: unknown[] = [
    'bad',
    [],
    [null],
    [{}],
    [{ message: 5 }],
    [{ message: 'bad', path: 'n' }],
    [{ message: 'bad', path: [null, Symbol('s'), { key: Symbol('k') }] }],
    {},
    7,
  ];
  for (const each of issues) {
    it(`whose issues are ${JSON.stringify(each)} refuses the payload all the same`, async () => {
      const { queue, counts } = await consumed(() => ({ issues: each }));
      expect(counts).toEqual({ handled: 0, failed: 1, lost: 0, dead: 1 });
      await expect(queue.publish('work', { n: 1 })).rejects.toThrow(InvalidPayloadError);
      await queue.close();
    });
  }

  it('that never answers counts against the time limit of the handler', async () => {
    const { queue, counts, reasons } = await consumed(() => new Promise(() => {}), { timeoutMs: 50 });
    expect(counts).toEqual({ handled: 0, failed: 2, lost: 0, dead: 1 });
    expect(reasons).toEqual([expect.stringContaining('did not end within 50 ms')]);
    await queue.close();
  });

  it('that never answers does not hold up closing, and its message is given back', async () => {
    const { clock, driver, subscription, queue } = await consumed(() => new Promise(() => {}));
    const closed = subscription.close({ timeoutMs: 10 });
    await clock.advance(10);
    await closed;
    expect(subscription.snapshot()).toMatchObject({ state: 'closed', running: 0, lost: 0 });
    expect(await driver.stats!('work', 'default')).toMatchObject({ waiting: 1, active: 0 });
    await queue.close();
  });
});

describe('options of one message', () => {
  it('that are made for each reject with what making them throws, and nothing is published', async () => {
    const { queue } = setUp();
    await queue.declare('work');
    const make = (_: unknown, index: number) => {
      if (index === 1) throw new RangeError('of the options');
      return {};
    };
    await expect(queue.publishMany('work', [{ n: 1 }, { n: 2 }], make)).rejects.toThrow('of the options');
    expect(await queue.stats('work')).toMatchObject({ waiting: 0 });
    await queue.close();
  });

  for (const nonsense of [5, 'id', [], true, null, Promise.resolve({ id: 'a' }), () => ({})]) {
    const text = nonsense instanceof Promise ? 'a promise' : (JSON.stringify(nonsense) ?? 'a function');
    it(`are refused when they are ${text}`, async () => {
      const { queue } = setUp();
      await queue.declare('work');
      const refused = expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' });
      await expect(queue.publish('work', { n: 1 }, nonsense as never)).rejects.toThrow(refused);
      await expect(queue.publishMany('work', [{ n: 1 }], (() => nonsense) as never)).rejects.toThrow(refused);
      if (typeof nonsense !== 'function')
        await expect(queue.publishMany('work', [{ n: 1 }], nonsense as never)).rejects.toThrow(refused);
      expect(await queue.stats('work')).toMatchObject({ waiting: 0 });
      await queue.close();
    });
  }
});

describe('`idempotency`', () => {
  const keyed = async (key: (...args: never[]) => unknown, store = memoryStore()) => {
    const { queue, clock } = setUp();
    const idempotency = { store, key: key as never };
    let calls = 0;
    const subscription = await queue.subscribe('work', () => void calls++, { attempts: 2, idempotency });
    await queue.publish('work', { n: 1 });
    // The store has the time of the machine
    for (let turns = 0; turns < 200; turns++) {
      await clock.advance(100);
      await new Promise(resolve => setImmediate(resolve));
    }
    const { handled, lost, dead } = subscription.snapshot();
    const reasons = await deadOf(queue);
    await queue.close();
    await store.close();
    return { calls, handled, lost, dead, reasons };
  };
  const refusedBy = (reason: unknown) => ({ calls: 0, handled: 0, lost: 0, dead: 1, reasons: [reason] });

  it('with a key that throws, or that is none, fails and does not run the handler', async () => {
    const boom = () => {
      throw new RangeError('of the key');
    };
    expect(await keyed(boom)).toEqual(refusedBy('RangeError: of the key'));
    for (const nonsense of [undefined, '', 5, {}, Promise.resolve('a')]) {
      const reason = expect.stringContaining('`idempotency.key` must return a string');
      expect(await keyed(() => nonsense)).toEqual(refusedBy(reason));
    }
  });

  it('with a key that the store refuses is dead in the end, and does not come again for ever', async () => {
    expect(await keyed(() => 'x'.repeat(100_000))).toEqual(
      refusedBy(expect.stringContaining('InvalidKeyError')),
    );
  });

  it('with a result that the store refuses keeps the record without it', async () => {
    const { queue, clock } = setUp();
    const store = memoryStore();
    let calls = 0;
    const handler = () => {
      calls++;
      return 'x'.repeat(17 * 2 ** 20);
    };
    const subscription = await queue.subscribe('work', handler, { results: true, idempotency: { store } });
    await queue.publish('work', { n: 1 }, { id: 'a' });
    for (let turns = 0; turns < 100; turns++) {
      await clock.advance(100);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect([calls, subscription.snapshot().handled]).toEqual([1, 1]);
    await queue.close();
    await store.close();
  });

  it('with a store that throws gives back, and says so', async () => {
    const store = memoryStore();
    const broken = Object.assign(Object.create(store) as typeof store, {
      claim: () => {
        throw new TypeError('of the store');
      },
      close: () => store.close(),
    });
    let result: Awaited<ReturnType<typeof keyed>> | undefined;
    const seen: PostponedMessage[] = [];
    const listen = (message: unknown) => void seen.push(message as PostponedMessage);
    subscribe('ashlar:queue:postponed', listen);
    try {
      result = await keyed(() => 'key', broken);
    } finally {
      unsubscribe('ashlar:queue:postponed', listen);
    }
    expect(result).toMatchObject({ calls: 0, handled: 0, lost: 0, dead: 0 });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen[0]).toMatchObject({ attempt: 1, retryInMs: 1_000 });
    expect(seen[0]!.error).toMatchObject({ code: 'ASHLAR_QUEUE_ONCE_UNAVAILABLE' });
  });
});

describe('`progress`', () => {
  it('of what has no JSON form rejects for the handler that keeps it', async () => {
    const { queue, clock } = setUp();
    const errors: unknown[] = [];
    await queue.subscribe('work', async (_, { progress }) => {
      for (const value of [undefined, 5n, () => {}, Symbol('s'), new Date()]) {
        await progress(value).catch(error => errors.push(error));
      }
      await progress({ done: 1 });
    });
    await queue.publish('work', { n: 1 }, { id: 'a' });
    await clock.advance(0);
    expect(errors).toEqual(Array.from({ length: 5 }, () => expect.any(InvalidPayloadError)));
    await queue.close();
  });
});
