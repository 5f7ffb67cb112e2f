import { describe, expect, it } from 'vitest';
import { LoadBalancer } from '../../src/index.ts';
import { Cancellation } from '../../src/util/cancellation.ts';

describe('a cancellation', () => {
  it('has one signal, whether it is asked for before or after the abort', () => {
    const asked = new Cancellation();
    const { signal } = asked;
    expect(signal.aborted).toBe(false);
    asked.abort('why');
    expect([asked.signal, signal.reason]).toEqual([signal, 'why']);
    const late = new Cancellation();
    late.abort('why');
    expect([late.signal.aborted, late.signal.reason]).toEqual([true, 'why']);
  });

  it('tells each listener once, of the first abort only, and at once when it is late', () => {
    const told: unknown[] = [];
    const one = new Cancellation();
    one.onAbort(reason => told.push(['a', reason]));
    one.onAbort(reason => told.push(['b', reason]));
    one.abort(1);
    one.abort(2);
    one.onAbort(reason => told.push(['c', reason]));
    expect(told).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
  });

  it('ends a call as a signal does, also one that it forestalls', async () => {
    const lb = new LoadBalancer({ endpoints: [{ id: 'a' }] });
    const cancellation = new Cancellation();
    let signal: AbortSignal | undefined;
    const running = lb.run(
      context => {
        ({ signal } = context);
        return new Promise(() => {});
      },
      { cancellation },
    );
    await Promise.resolve();
    cancellation.abort('enough');
    await expect(running).rejects.toBe('enough');
    expect(signal?.reason).toBe('enough');
    await expect(lb.run(async () => 1, { cancellation })).rejects.toBe('enough');
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ picked: 1, canceled: 1 }] });
  });

  it('makes no attempt once the call has been stopped', async () => {
    const lb = new LoadBalancer({ endpoints: [{ id: 'a' }], concurrency: 1 });
    const first = lb.pick();
    let attempts = 0;
    const running = lb.run(async () => ++attempts);
    first.done();
    await Promise.all([lb.close(), expect(running).rejects.toThrow('closed')]);
    expect([attempts, lb.snapshot().inFlight]).toEqual([0, 0]);
  });
});
