import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import {
  type Capabilities,
  channels,
  type Driver,
  InvalidPayloadError,
  memoryDriver,
  messages,
  PublishError,
  type Published,
  Queue,
  QueueClosedError,
  QueueFullError,
  UnroutedError,
  UnsupportedError,
} from '../../src/index.ts';

interface Messages {
  'order.placed': { id: string };
  bytes: Uint8Array;
}

function queueOf(driver = memoryDriver()) {
  return new Queue(driver, { messages: messages<Messages>(), name: 'shop' });
}

it('takes messages and a driver that another installed copy of the package has made', async () => {
  vi.resetModules();
  const other = await import('../../src/index.ts');
  expect(other.Queue).not.toBe(Queue);
  await using queue = new other.Queue(memoryDriver(), { messages: messages<Messages>() });
  await expect(queue.publish('order.placed', { id: '1' })).rejects.toThrow(UnroutedError);
  expect(() => new Queue(memoryDriver(), { messages: {} })).toThrow(
    '`messages` must be made by `messages()`',
  );
});

it('says what to write in place of an address', () => {
  const make = () => new Queue('redis://localhost' as never, { messages: messages() });
  expect(make).toThrow(
    'got "redis://localhost"; write `new Queue(memoryDriver(), { … })`, or `redisStreams({ redis })`',
  );
});

describe('Queue.publish', () => {
  it('publishes a CloudEvent', async () => {
    const driver = memoryDriver();
    await using queue = queueOf(driver);
    await queue.declare('order.placed');
    const options = { id: 'order 1', key: 'acme', version: 3, headers: { traceparent: '00-1-2-01' } };
    expect(await queue.publish('order.placed', { id: '1' }, options)).toEqual({ id: 'order 1' });
    const signal = new AbortController().signal;
    const [delivery] = await take(driver.consume('order.placed', 'default', { prefetch: 1, signal }), 1);
    expect(delivery!.headers).toEqual({
      'ce-specversion': '1.0',
      'ce-id': 'order 1',
      'ce-source': '/shop',
      'ce-type': 'order.placed',
      'ce-time': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      'ce-partitionkey': 'acme',
      'ce-schemaversion': '3',
      'content-type': 'application/json',
      traceparent: '00-1-2-01',
    });
    expect(new TextDecoder().decode(delivery!.body)).toBe('{"id":"1"}');
    await delivery!.ack();
  });

  it('refuses a topic that no group receives, unless that is allowed', async () => {
    await using queue = queueOf();
    await expect(queue.publish('order.placed', { id: '1' })).rejects.toThrow(UnroutedError);
    await queue.publish('order.placed', { id: '1' }, { allowUnrouted: true });
  });

  it('refuses what JSON cannot hold', async () => {
    await using queue = queueOf();
    await queue.declare('order.placed');
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    for (const payload of [
      undefined,
      () => {},
      1n,
      cycle,
      Symbol('x'),
      { at: new Date() },
      [Number.NaN],
      new Map(),
    ]) {
      await expect(queue.publish('order.placed', payload as never)).rejects.toThrow(InvalidPayloadError);
    }
  });

  it('says which of many payloads is wrong, and where, and publishes none', async () => {
    await using queue = new Queue(memoryDriver(), { messages: messages<{ paid: unknown }>() });
    await queue.declare('paid');
    const publishing = queue.publishMany('paid', [
      { cents: 1 },
      { order: { cents: 1n } },
      { at: new Date(0) },
    ]);
    await expect(publishing).rejects.toThrow(InvalidPayloadError);
    await expect(publishing).rejects.toThrow(
      'payloads[1]: JSON does not keep 1 (bigint) at "cents" at "order"',
    );
    expect(await queue.stats('paid')).toMatchObject({ waiting: 0 });
  });

  it('names the driver first, when nothing is given', () => {
    expect(() => new (Queue as unknown as new () => unknown)()).toThrow(
      /^`driver` is required: write `new Queue\(/,
    );
  });

  it('refuses wrong options, and says which', async () => {
    await using queue = queueOf();
    await queue.declare('order.placed');
    const wrong = [
      { id: '' },
      { id: '\ud800' },
      { id: 'x'.repeat(257) },
      { key: 1 },
      { priority: 10 },
      { priority: 0.5 },
      { delayMs: -1 },
      { delayMs: Number.NaN },
      { expiresInMs: 0 },
      { version: 0 },
      { headers: { 'Not-Lower': 'x' } },
      { headers: { 'ce-id': 'x' } },
      { headers: { n: 1 } },
      { delay: 1 },
      'fast',
      null,
    ];
    for (const options of wrong) {
      await expect(queue.publish('order.placed', { id: '1' }, options as never)).rejects.toThrow(
        expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' }),
      );
    }
    for (const topic of ['', 'a b', 'a/b', 'ä', 'x'.repeat(129), 5]) {
      await expect(queue.publish(topic as never, { id: '1' } as never)).rejects.toThrow(/`topic` must be/);
    }
  });

  it('says of a message that was not confirmed with which id to publish it again', async () => {
    const lost = new Error('connection reset');
    const driver: Driver = {
      capabilities: { delay: false, priority: false, fanout: true, durable: true, orderedKeys: false },
      declare: async () => {},
      publish: async () => {
        throw lost;
      },
      consume: () => take([], 0) as never,
      [Symbol.asyncDispose]: async () => {},
    };
    await using queue = new Queue(driver, { messages: messages<Messages>() });
    const error = await queue.publish('order.placed', { id: '1' }).catch(error => error);
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({ outcome: 'Unknown', cause: lost, retryable: true, topic: 'order.placed' });
    expect(error.id).toMatch(/^[0-9a-f-]{36}$/);
    const all = await queue.publishMany('order.placed', [{ id: '1' }, { id: '2' }]);
    expect(all).toEqual([1, 2].map(() => ({ ok: false, outcome: 'Unknown', error: lost })));
    // @ts-expect-error the driver has no priorities
    const refused = queue.publish('order.placed', { id: '1' }, { priority: 1 });
    await expect(refused).rejects.toThrow(UnsupportedError);
    // @ts-expect-error the driver has no order of keys
    const subscribed = queue.subscribe('order.placed', () => {}, { ordered: true });
    await expect(subscribed).rejects.toThrow('needs order of keys, which the custom driver does not have');
  });

  it('rejects when a group is full', async () => {
    await using queue = queueOf(memoryDriver({ maxMessages: 2 }));
    await queue.declare('order.placed');
    const published = await queue.publishMany('order.placed', [{ id: '1' }, { id: '2' }, { id: '3' }]);
    expect(published.map(({ ok }) => ok)).toEqual([true, true, false]);
    await expect(queue.publish('order.placed', { id: '4' })).rejects.toThrow(QueueFullError);
  });

  it('takes options for each message of many', async () => {
    const driver = memoryDriver();
    await using queue = queueOf(driver);
    await queue.declare('order.placed');
    const payloads = [{ id: '1' }, { id: '2' }];
    await queue.publishMany('order.placed', payloads, ({ id }, index) => ({
      id: `order ${id}`,
      priority: index,
    }));
    const signal = new AbortController().signal;
    const received = await take(driver.consume('order.placed', 'default', { prefetch: 2, signal }), 2);
    expect(received.map(({ id }) => id)).toEqual(['order 2', 'order 1']);
  });

  it('accepts a batch that no group receives where each of its messages may be dropped', async () => {
    await using queue = queueOf();
    const payloads = [{ id: '1' }, { id: '2' }];
    const published = queue.publishMany('order.placed', payloads, () => ({ allowUnrouted: true }));
    expect(await published).toEqual([{ ok: true }, { ok: true }]);
    const mixed = queue.publishMany('order.placed', payloads, ({ id }) => ({ allowUnrouted: id === '1' }));
    await expect(mixed).rejects.toThrow(/`allowUnrouted` must be the same for all messages of a batch/);
  });

  it('refuses one id for many messages, of which all but one would be dropped', async () => {
    await using queue = queueOf();
    await queue.declare('order.placed');
    const many = queue.publishMany('order.placed', [{ id: '1' }, { id: '2' }], { id: 'm' });
    await expect(many).rejects.toThrow(/`id` must be another for each message/);
    expect(await queue.stats('order.placed')).toMatchObject({ waiting: 0 });
    expect(await queue.publishMany('order.placed', [{ id: '1' }], { id: 'm' })).toEqual([{ ok: true }]);
  });

  it('gives each handler bytes of its own', async () => {
    await using queue = queueOf();
    const seen: number[] = [];
    const spoils = (bytes: Uint8Array) => {
      seen.push(bytes[0]!);
      bytes[0] = 9;
      if (seen.length === 1) throw new Error('again');
    };
    const options = { backoff: { firstMs: 1, maxMs: 1 } };
    await queue.subscribe('bytes', spoils, { group: 'a', ...options });
    await queue.subscribe('bytes', spoils, { group: 'b', ...options });
    await queue.publish('bytes', new Uint8Array([1]));
    await expect.poll(() => seen).toEqual([1, 1, 1]);
  });

  it('publishes on its channels', async () => {
    await using queue = queueOf(memoryDriver({ maxMessages: 1 }));
    await queue.declare('order.placed');
    const heard: unknown[] = [];
    const hear = (message: unknown) => heard.push(message);
    const { subscribe, unsubscribe } = await import('node:diagnostics_channel');
    subscribe('ashlar:queue:published', hear);
    subscribe('ashlar:queue:publish-failed', hear);
    try {
      expect(channels.published.hasSubscribers).toBe(true);
      await queue.publishMany('order.placed', [{ id: '1' }, { id: '2' }], (_, index) => ({
        id: `m${index}`,
      }));
    } finally {
      unsubscribe('ashlar:queue:published', hear);
      unsubscribe('ashlar:queue:publish-failed', hear);
    }
    expect(heard).toEqual([
      { queue: 'shop', topic: 'order.placed', count: 1 },
      {
        queue: 'shop',
        topic: 'order.placed',
        id: 'm1',
        outcome: 'NotExecuted',
        error: expect.any(QueueFullError),
      },
    ]);
  });

  it('rejects when it is closed', async () => {
    const queue = queueOf();
    await queue.declare('order.placed');
    await queue.close();
    await queue.close();
    await expect(queue.publish('order.placed', { id: '1' })).rejects.toThrow(QueueClosedError);
    await expect(queue.declare('order.placed')).rejects.toThrow(QueueClosedError);
    await expect(queue.subscribe('order.placed', () => {})).rejects.toThrow(QueueClosedError);
  });

  it('refuses wrong construction', () => {
    const wrong: [unknown, unknown][] = [
      [undefined, { messages: messages() }],
      [{}, { messages: messages() }],
      [memoryDriver(), undefined],
      [memoryDriver(), {}],
      [memoryDriver(), { messages: {} }],
      [memoryDriver(), { messages: messages, name: 'x' }],
      [memoryDriver(), { messages: messages(), nam: 'x' }],
    ];
    for (const [driver, options] of wrong) {
      expect(() => new Queue(driver as never, options as never)).toThrow(
        expect.objectContaining({ code: 'ASHLAR_CORE_INVALID_OPTION' }),
      );
    }
    expect(() => memoryDriver({ leaseMs: 0 })).toThrow(/leaseMs/);
  });

  it('has the types of its messages and its driver', () => {
    type Plain = Queue<Messages, Capabilities & { readonly delay: true; readonly priority: false }>;
    expectTypeOf<Plain['publishMany']>().returns.resolves.toEqualTypeOf<readonly Published[]>();
    type Options = NonNullable<Parameters<Plain['publish']>[2]>;
    expectTypeOf<Options>().toHaveProperty('delayMs');
    expectTypeOf<Options>().not.toHaveProperty('priority');
    expectTypeOf<Options>().not.toHaveProperty('expiresInMs');
  });
});

async function take<T>(items: AsyncIterable<T> | Iterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count === 0) return taken;
  for await (const item of items) if (taken.push(item) === count) break;
  return taken;
}
