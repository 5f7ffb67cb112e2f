import { describe, expect, it } from 'vitest';
import { messages } from '../../src/index.ts';
import { TestQueue, type TestQueueOptions } from '../../src/testing.ts';

interface Messages {
  work: { n: number };
}

function setUp(options: Partial<TestQueueOptions<Messages>> = {}) {
  return new TestQueue({ messages: messages<Messages>(), random: () => 0.5, ...options });
}

describe('a faulty driver', () => {
  it('refuses a publish, or loses its confirmation: published again with its id, it is one message', async () => {
    await using queue = setUp();
    const seen: number[] = [];
    await queue.subscribe('work', ({ n }) => void seen.push(n));
    queue.driver.inject('refusePublish');
    const refused = queue.publish('work', { n: 1 });
    await expect(refused).rejects.toMatchObject({ outcome: 'NotExecuted' });
    queue.driver.inject('loseReply');
    const error = await queue.publish('work', { n: 2 }).catch(error => error);
    expect(error).toMatchObject({ code: 'ASHLAR_QUEUE_NOT_PUBLISHED', outcome: 'Unknown' });
    await queue.publish('work', { n: 2 }, { id: error.id });
    expect(seen).toEqual([2]);
    expect(queue.driver.injected).toMatchObject({ refusePublish: 1, loseReply: 1 });
  });

  it('refuses some of a batch', async () => {
    await using queue = setUp();
    await queue.declare('work');
    queue.driver.inject('refusePublish', 2);
    const published = await queue.publishMany('work', [{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(published.map(({ ok }) => ok)).toEqual([false, false, true]);
  });

  it('delivers a message twice', async () => {
    await using queue = setUp();
    const seen: [number, number][] = [];
    await queue.subscribe('work', ({ n }, { attempt }) => void seen.push([n, attempt]));
    queue.driver.inject('duplicate');
    await queue.publish('work', { n: 1 });
    expect(seen).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it('loses a lease: the message comes again when it is over, and no failure is charged', async () => {
    await using queue = setUp({ leaseMs: 3_000 });
    const seen: number[] = [];
    await queue.subscribe('work', (_, { attempt }) => void seen.push(attempt), { attempts: 1 });
    queue.driver.inject('loseLease');
    await queue.publish('work', { n: 1 });
    expect(seen).toEqual([1]);
    expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: 0, lost: 1 });
    await queue.drain();
    expect(seen).toEqual([1, 2]);
    expect(queue.clock.now()).toBe(3_000);
    expect(queue.spy.dead('work')).toEqual([]);
  });

  it('breaks consuming, which begins again', async () => {
    await using queue = setUp();
    const seen: number[] = [];
    await queue.subscribe('work', ({ n }) => void seen.push(n), { concurrency: 1 });
    queue.driver.inject('breakConsume');
    await queue.publishMany('work', [{ n: 1 }, { n: 2 }]);
    expect(seen).toEqual([1]);
    expect(queue.health().ok).toBe(false);
    await queue.drain();
    expect(seen).toEqual([1, 2]);
    expect(queue.health().ok).toBe(true);
  });

  it('makes the same faults with the same seed, and everything is handled at last', async () => {
    const runs: unknown[] = [];
    for (const seed of [7, 7, 8]) {
      const faults = { seed, loseReply: 0.2, duplicate: 0.2, loseLease: 0.2, breakConsume: 0.1 };
      await using queue = setUp({ mode: 'manual', faults });
      const seen = new Set<number>();
      await queue.subscribe('work', ({ n }) => void seen.add(n), { crashes: 100 });
      for (let n = 0; n < 50; n++) await queue.publish('work', { n }).catch(() => {});
      await queue.drain();
      expect(seen.size).toBe(50);
      runs.push({ ...queue.driver.injected });
    }
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]).not.toEqual(runs[2]);
    for (const fault of ['loseReply', 'duplicate', 'loseLease', 'breakConsume']) {
      expect((runs[0] as Record<string, number>)[fault]).toBeGreaterThan(0);
    }
  });

  it('refuses faults that there are not', async () => {
    await using queue = setUp();
    expect(() => queue.driver.inject('explode' as never)).toThrow('fault');
    expect(() => queue.driver.inject('loseReply', 0)).toThrow('times');
  });
});
