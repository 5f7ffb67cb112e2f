import { describe, expect, it } from 'vitest';
import { memoryDriver, messages, Queue } from '../../src/index.ts';
import { QueueSpy, TestTimeoutError } from '../../src/testing.ts';

interface Messages {
  order: { id: string };
  mail: { to: string };
}

async function setUp() {
  const spy = new QueueSpy<Messages>();
  const queue = new Queue(spy.watch(memoryDriver()), { messages: messages<Messages>() });
  await queue.declare('mail');
  return { spy, queue };
}

describe('a spy', () => {
  it('waits for what comes, and finds what came', async () => {
    const { spy, queue } = await setUp();
    await using _ = queue;
    const waiting = spy.waitFor('order', ({ id }) => id === '2');
    await queue.subscribe('order', () => {});
    await queue.publish('order', { id: '1' });
    await queue.publish('order', { id: '2' }, { id: 'second', key: 'tenant' });
    const handled = {
      state: 'handled',
      topic: 'order',
      group: 'default',
      id: 'second',
      key: 'tenant',
      attempt: 1,
    };
    expect(await waiting).toMatchObject({ ...handled, payload: { id: '2' } });
    expect(await spy.waitFor('order', ({ id }) => id === '1')).toMatchObject({ payload: { id: '1' } });
    const published = await spy.waitFor('order', undefined, { state: 'published' });
    expect(published).toMatchObject({ group: undefined, attempt: 0, payload: { id: '1' } });
    expect(spy.published('order')).toHaveLength(2);
    expect(spy.published('mail')).toEqual([]);
    spy.clear();
    expect(spy.handled('order')).toEqual([]);
  });

  it('sees each failure with what was thrown, and the death', async () => {
    const { spy, queue } = await setUp();
    await using _ = queue;
    const down = new Error('down');
    const options = { group: 'sender', attempts: 2, backoff: { firstMs: 0 } };
    await queue.subscribe('mail', () => Promise.reject(down), options);
    await queue.subscribe('mail', () => {});
    await queue.publish('mail', { to: 'ada' });
    const dead = await spy.waitFor('mail', undefined, { state: 'dead' });
    expect(dead).toMatchObject({ group: 'sender', attempt: 2, error: down, reason: 'Error: down' });
    expect(spy.failed('mail').map(({ attempt, error }) => [attempt, error])).toEqual([
      [1, down],
      [2, down],
    ]);
    const other = await spy.waitFor('mail', undefined, { group: 'default' });
    expect(other.group).toBe('default');
  });

  it('says what there was instead of what it waits for', async () => {
    const { spy, queue } = await setUp();
    await using _ = queue;
    const options = { group: 'sender', attempts: 1 };
    await queue.subscribe('mail', () => Promise.reject(new Error('down')), options);
    await queue.publish('mail', { to: 'ada' });
    await spy.waitFor('mail', undefined, { state: 'dead' });
    const waiting = spy.waitFor('mail', ({ to }) => to === 'bob', { timeoutMs: 20 });
    await expect(waiting).rejects.toThrow(TestTimeoutError);
    await expect(waiting).rejects.toThrow(
      'no message of "mail" that matches was handled within 20 ms; there were 1 published, 0 handled, 1 failed, 1 dead, at last with Error: down',
    );
  });

  it('rejects with what its predicate throws, and remembers no more than it may', async () => {
    const spy = new QueueSpy<Messages>({ max: 2 });
    await using queue = new Queue(spy.watch(memoryDriver()), { messages: messages<Messages>() });
    await queue.declare('mail');
    await queue.publishMany('mail', [{ to: 'a' }, { to: 'b' }, { to: 'c' }]);
    expect(spy.published('mail').map(({ payload }) => payload.to)).toEqual(['b', 'c']);
    const broken = () => {
      throw new Error('broken');
    };
    await expect(spy.waitFor('mail', broken, { state: 'published' })).rejects.toThrow('broken');
    // @ts-expect-error no such state
    await expect(spy.waitFor('mail', undefined, { state: 'done' })).rejects.toThrow('state');
  });
});
