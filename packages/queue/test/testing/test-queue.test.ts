import { describe, expect, it, vi } from 'vitest';
import { messages, type Queue } from '../../src/index.ts';
import { TestQueue, type TestQueueOptions, TestTimeoutError } from '../../src/testing.ts';

interface Messages {
  order: { id: string };
  mail: { to: string };
}

function setUp(options: Partial<TestQueueOptions<Messages>> = {}) {
  return new TestQueue({ messages: messages<Messages>(), random: () => 1, ...options });
}

describe('inline', () => {
  it('handles within publish what is published, also by handlers', async () => {
    await using queue = setUp();
    const seen: string[] = [];
    // one at a time, so that a handler that waited for its own message would wait for ever
    await queue.subscribe(
      'order',
      async ({ id }) => {
        if (id === 'parent') await queue.publish('order', { id: 'child' });
        await queue.publish('mail', { to: id });
        seen.push(`order ${id}`);
      },
      { concurrency: 1 },
    );
    await queue.subscribe('mail', async ({ to }) => {
      await new Promise(resolve => setTimeout(resolve, 5));
      seen.push(`mail ${to}`);
    });
    await queue.publish('order', { id: 'parent' });
    expect(seen.toSorted()).toEqual(['mail child', 'mail parent', 'order child', 'order parent']);
    await queue.publishMany('mail', [{ to: 'a' }, { to: 'b' }]);
    expect(seen).toHaveLength(6);
  });

  it('leaves what waits for its time to drain', async () => {
    await using queue = setUp();
    const at: number[] = [];
    await queue.subscribe(
      'mail',
      () => {
        at.push(queue.clock.now());
        if (at.length < 3) throw new Error('not yet');
      },
      { backoff: { firstMs: 1_000 } },
    );
    await queue.publish('mail', { to: 'ada' }, { delayMs: 3_600_000 });
    expect(at).toEqual([]);
    await queue.drain();
    expect(at).toEqual([3_600_000, 3_601_000, 3_603_000]);
  });

  it('hands batches to their handler without waiting for time', async () => {
    await using queue = setUp();
    const sizes: number[] = [];
    await queue.subscribe('mail', batch => void sizes.push(batch.length), { batch: { size: 10 } });
    await queue.publishMany('mail', [{ to: 'a' }, { to: 'b' }]);
    expect(sizes).toEqual([2]);
  });
});

describe('manual', () => {
  it('handles nothing until it is told to', async () => {
    await using queue = setUp({ mode: 'manual' });
    const seen: string[] = [];
    await queue.subscribe('mail', ({ to }) => void seen.push(to));
    await queue.publish('mail', { to: 'ada' });
    await queue.publish('mail', { to: 'later' }, { delayMs: 60_000 });
    await queue.clock.advance(1);
    expect(seen).toEqual([]);
    await queue.run();
    expect(seen).toEqual(['ada']);
    await queue.publish('mail', { to: 'bob' });
    await queue.clock.advance(1);
    expect(seen).toEqual(['ada']);
    await queue.advance(60_000);
    expect(seen).toEqual(['ada', 'bob', 'later']);
  });

  it('keeps a group paused that the test has paused', async () => {
    await using queue = setUp({ mode: 'manual' });
    const seen: string[] = [];
    await queue.subscribe('mail', ({ to }) => void seen.push(to));
    await queue.pause('mail');
    await queue.publish('mail', { to: 'ada' });
    await queue.drain();
    expect(seen).toEqual([]);
    await queue.resume('mail');
    expect(seen).toEqual([]);
    await queue.run();
    expect(seen).toEqual(['ada']);
  });
});

describe('what never ends', () => {
  it('is said by name', async () => {
    await using queue = setUp({ mode: 'manual' });
    let resolve = () => {};
    const handling = new Promise<void>(end => {
      resolve = end;
    });
    await queue.subscribe('mail', () => handling, { group: 'sender' });
    await queue.publish('mail', { to: 'ada' });
    await expect(queue.run({ timeoutMs: 20 })).rejects.toThrow(
      'handlers did not end within 20 ms of real time: 1 of mail in sender',
    );
    resolve();
    await queue.run();
    await queue.publish('mail', { to: 'bob' }, { delayMs: 120_000 });
    await expect(queue.drain({ maxMs: 60_000 })).rejects.toThrow(TestTimeoutError);
    await queue.drain();
  });
});

describe('a handler that publishes its own message again', () => {
  it('ends run and drain with an error, and no test hangs', async () => {
    await using queue = setUp({ mode: 'manual' });
    let delayMs = 0;
    let goesOn = true;
    await queue.subscribe('mail', async ({ to }) => {
      if (goesOn) await queue.publish('mail', { to }, { delayMs });
    });
    await queue.publish('mail', { to: 'ada' });
    await expect(queue.run({ timeoutMs: 50 })).rejects.toThrow(TestTimeoutError);
    delayMs = 60_000;
    await queue.run();
    const drained = queue.drain({ maxMs: 3_600_000 });
    await expect(drained).rejects.toThrow('1 messages still wait after 3600000 ms of virtual time');
    goesOn = false;
    await queue.drain();
  });
});

it('goes where a Queue goes', async () => {
  const order = (queue: Queue<Messages>) => queue.publish('order', { id: '1' });
  await using queue = setUp();
  await queue.declare('order');
  // @ts-expect-error no such topic
  await expect(queue.publish('ordr', {})).rejects.toThrow();
  expect(await order(queue)).toEqual({ id: expect.any(String) });
});

it('works where a test has replaced the timers', async () => {
  vi.useFakeTimers();
  try {
    await using queue = setUp();
    const seen: string[] = [];
    await queue.subscribe('mail', ({ to }) => void seen.push(to));
    await queue.publish('mail', { to: 'ada' });
    await queue.publish('mail', { to: 'bob' }, { delayMs: 60_000 });
    await queue.drain();
    expect(seen).toEqual(['ada', 'bob']);
    await expect(queue.spy.waitFor('order', undefined, { timeoutMs: 20 })).rejects.toThrow(TestTimeoutError);
  } finally {
    vi.useRealTimers();
  }
});

it('refuses what it does not know', () => {
  expect(() => setUp({ mode: 'fast' as never })).toThrow('mode');
  expect(() => setUp({ clock: {} } as never)).toThrow('clock');
  expect(() => setUp({ faults: { duplicate: 2 } })).toThrow('duplicate');
});
