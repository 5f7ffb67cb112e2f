import { ManualClock } from '@ashlar/core/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  type AttemptContext,
  type Candidate,
  ClosedError,
  DeadlineError,
  LoadBalancer,
  type LoadBalancerOptions,
  type Policy,
  peakEwma,
  roundRobin,
} from '../../../src/index.ts';
import { heard } from '../../support/heard.ts';

type E = { id: string };
const endpoints: E[] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }];

interface Held extends AttemptContext<E> {
  answer(value: unknown): Promise<void>;
  fail(error: unknown): Promise<void>;
}

/** A balancer, and attempts that wait until the test settles them; they pay no heed to their signals. */
function balancer(options: Partial<LoadBalancerOptions<E>> = {}) {
  const clock = new ManualClock();
  const hedge = { delayMs: 50 };
  const lb = new LoadBalancer<E>({
    endpoints,
    policy: roundRobin(),
    clock,
    random: () => 0,
    hedge,
    ...options,
  });
  const attempts: Held[] = [];
  const attempt = (context: AttemptContext<E>) =>
    new Promise((resolve, reject) => {
      attempts.push(
        Object.assign(context, {
          answer: (value: unknown) => turnAfter(() => resolve(value)),
          fail: (error: unknown) => turnAfter(() => reject(error)),
        }),
      );
    });
  const counts = () =>
    lb.snapshot().endpoints.map(({ inFlight, succeeded, failed, canceled }) => ({
      inFlight,
      succeeded,
      failed,
      canceled,
    }));
  const run = (request: object = {}) => {
    const running = lb.run(attempt, { idempotent: true, ...request });
    const settled = Promise.allSettled([running]);
    return {
      result: running,
      reason: async () => (await settled).map(each => (each as PromiseRejectedResult).reason)[0],
    };
  };
  return { lb, clock, attempts, counts, run };
}

async function turnAfter(act: () => void): Promise<void> {
  act();
  await new Promise(resolve => setImmediate(resolve));
}

const idle = { inFlight: 0, succeeded: 0, failed: 0, canceled: 0 };
const unhandled = vi.fn();
beforeAll(() => void process.on('unhandledRejection', unhandled));
afterAll(() => {
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

describe('hedging', () => {
  it('asks another endpoint when the first takes long; the first answer counts and the other attempt is broken off', async () => {
    const told = heard('hedge');
    const { lb, clock, attempts, counts, run } = balancer();
    const { result } = run();
    await clock.advance(49);
    expect(attempts).toHaveLength(1);
    await clock.advance(1);
    expect(attempts.map(({ endpoint, attempt }) => [endpoint.id, attempt])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    await clock.advance(1_000);
    expect(attempts).toHaveLength(2);
    await attempts[1]!.answer('from b');
    expect(await result).toBe('from b');
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    expect(attempts[0]!.signal.reason).toMatchObject({ name: 'AbortError' });
    expect(counts()).toEqual([{ ...idle, canceled: 1 }, { ...idle, succeeded: 1 }, idle, idle]);
    expect(lb.snapshot()).toMatchObject({
      inFlight: 0,
      hedges: 1,
      hedgesWon: 1,
      hedgesRefused: 0,
      retries: 0,
    });
    expect(told.stop()).toEqual([{ balancer: 'lb', endpoint: 'b', from: 'a', attempt: 2, afterMs: 50 }]);
    expect(clock.sleeping).toBe(0);
  });

  it('keeps the answer of the first when that comes after all, and frees what the other brings late', async () => {
    const { lb, clock, attempts, counts, run } = balancer();
    const { result } = run();
    await clock.advance(50);
    await attempts[0]!.answer('from a');
    expect(await result).toBe('from a');
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([false, true]);
    const late = new Response('late');
    await attempts[1]!.answer(late);
    await expect(late.text()).rejects.toThrow();
    expect(counts().slice(0, 2)).toEqual([
      { ...idle, succeeded: 1 },
      { ...idle, canceled: 1 },
    ]);
    expect(lb.snapshot().hedgesWon).toBe(0);
  });

  it('drops a late error of the other, also after `run` has settled', async () => {
    const { clock, attempts, counts, run } = balancer();
    const { result } = run();
    await clock.advance(50);
    await attempts[1]!.answer('from b');
    expect(await result).toBe('from b');
    await attempts[0]!.fail(new Error('late'));
    expect(counts()[0]).toEqual({ ...idle, canceled: 1 });
  });

  it('is for idempotent requests only, and not for those that refuse it', async () => {
    const { clock, attempts, run } = balancer();
    run({ idempotent: false });
    run({ idempotent: undefined });
    run({ hedge: false });
    await clock.advance(1_000);
    expect(attempts).toHaveLength(3);
  });

  it('takes a failure for no answer while another attempt is on its way, and makes no retry of it', async () => {
    for (const [failing, answering] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const { lb, clock, attempts, counts, run } = balancer();
      const { result } = run();
      await clock.advance(50);
      const broken = new Response('broken', { status: 503 });
      await attempts[failing]!.answer(broken);
      await expect(broken.text()).rejects.toThrow();
      expect(attempts[failing]!.signal.aborted).toBe(true);
      expect(attempts).toHaveLength(2);
      await attempts[answering]!.answer('well');
      expect(await result).toBe('well');
      expect(attempts[answering]!.signal.aborted).toBe(false);
      expect(counts()[failing]).toEqual({ ...idle, failed: 1 });
      expect(lb.snapshot()).toMatchObject({ retries: 0, hedges: 1, hedgesWon: answering });
    }
  });

  it('retries when both have failed, where none was, and ends with the last error when no attempt is left', async () => {
    const { lb, clock, attempts, run } = balancer({ retry: { attempts: 3 } });
    const { reason } = run();
    await clock.advance(50);
    await attempts[1]!.fail(new Error('b'));
    await attempts[0]!.fail(new Error('a'));
    expect(attempts.map(({ endpoint }) => endpoint.id)).toEqual(['a', 'b', 'c']);
    // Its one hedge has been used
    await clock.advance(1_000);
    expect(attempts).toHaveLength(3);
    const last = new Error('c');
    await attempts[2]!.fail(last);
    expect(await reason()).toBe(last);
    expect(lb.snapshot()).toMatchObject({ retries: 1, hedges: 1, inFlight: 0 });
  });

  it('hedges a retry that takes long', async () => {
    const { clock, attempts, run } = balancer();
    const { result } = run();
    await clock.advance(40);
    await attempts[0]!.fail(new Error('a'));
    await clock.advance(49);
    expect(attempts).toHaveLength(2);
    await clock.advance(1);
    expect(attempts.map(({ endpoint, attempt }) => [endpoint.id, attempt])).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ]);
    await attempts[2]!.answer('well');
    expect(await result).toBe('well');
    expect(attempts[1]!.signal.aborted).toBe(true);
  });

  it('ends at once with a failure that must not be tried elsewhere', async () => {
    const { clock, attempts, counts, run } = balancer();
    const classify = () => ({ ok: false, retry: false });
    const { reason } = run({ classify });
    await clock.advance(50);
    const error = new Error('no use');
    await attempts[1]!.fail(error);
    expect(await reason()).toBe(error);
    expect(attempts[0]!.signal.aborted).toBe(true);
    expect(counts().slice(0, 2)).toEqual([
      { ...idle, canceled: 1 },
      { ...idle, failed: 1 },
    ]);
  });

  it.each([
    [100, { ...idle, failed: 1 }],
    [80, { ...idle, canceled: 1 }],
  ])(
    'ends both at a deadline of %i ms, and holds it against who had half of it',
    async (timeoutMs, hedged) => {
      const { clock, attempts, counts, run } = balancer();
      const { reason } = run({ timeoutMs });
      await clock.advance(timeoutMs);
      const error = await reason();
      expect(error).toBeInstanceOf(DeadlineError);
      expect(error).toMatchObject({ outcome: 'Unknown', timeoutMs });
      expect(attempts.map(({ signal }) => signal.reason)).toEqual([error, error]);
      expect(counts().slice(0, 2)).toEqual([{ ...idle, failed: 1 }, hedged]);
      await attempts[0]!.fail(new Error('late'));
      expect(clock.sleeping).toBe(0);
    },
  );

  it('ends both when the caller gives up or the balancer closes, and blames nobody', async () => {
    for (const end of ['abort', 'close'] as const) {
      const { lb, clock, attempts, counts, run } = balancer();
      const caller = new AbortController();
      const { reason } = run({ signal: caller.signal, timeoutMs: 500 });
      await clock.advance(50);
      if (end === 'abort') caller.abort('enough');
      else await lb.close();
      const error = await reason();
      if (end === 'abort') expect(error).toBe('enough');
      else expect(error).toBeInstanceOf(ClosedError);
      expect(attempts.map(({ signal }) => signal.reason)).toEqual([error, error]);
      expect(counts().slice(0, 2)).toEqual([
        { ...idle, canceled: 1 },
        { ...idle, canceled: 1 },
      ]);
      for (const attempt of attempts) await attempt.fail(new Error('late'));
      expect(clock.sleeping).toBe(0);
    }
  });

  it('does not hedge what ends before its time, nor after the caller gave up', async () => {
    const { lb, clock, attempts, run } = balancer();
    const { result } = run();
    await attempts[0]!.answer('quick');
    expect([await result, clock.sleeping]).toEqual(['quick', 0]);
    const caller = new AbortController();
    const { reason } = run({ signal: caller.signal });
    caller.abort('enough');
    expect(await reason()).toBe('enough');
    await clock.advance(1_000);
    expect([attempts.length, lb.snapshot().hedges]).toEqual([2, 0]);
  });

  it('gives each attempt its own time', async () => {
    const { clock, attempts, run } = balancer({ retry: { attemptTimeoutMs: 100, attempts: 2 } });
    const { reason } = run();
    await clock.advance(100);
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    await clock.advance(49);
    expect(attempts[1]!.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(await reason()).toMatchObject({ code: 'ASHLAR_LB_DEADLINE', timeoutMs: 100 });
    expect([attempts.length, clock.sleeping]).toEqual([2, 0]);
  });

  it('asks as many as it may, each after the delay, and no endpoint twice', async () => {
    const { lb, clock, attempts, run } = balancer({ hedge: { delayMs: 50, max: 9, budgetPerSecond: 9 } });
    const { result } = run();
    await clock.advance(1_000);
    expect(attempts.map(({ endpoint }) => endpoint.id)).toEqual(['a', 'b', 'c', 'd']);
    await attempts[2]!.answer('from c');
    expect(await result).toBe('from c');
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true, true, false, true]);
    expect(lb.snapshot()).toMatchObject({ hedges: 3, hedgesWon: 1, inFlight: 0 });
    expect(clock.sleeping).toBe(0);
  });

  it('keeps to its own budget, and leaves that of retries alone', async () => {
    const hedge = { delayMs: 50, budgetPercent: 10, budgetPerSecond: 0 };
    const { lb, clock, attempts, run } = balancer({ hedge, retry: { budgetPercent: 0, budgetPerSecond: 0 } });
    for (let i = 0; i < 25; i++) run();
    run({ hedge: false });
    await clock.advance(50);
    expect([attempts.length, lb.snapshot().hedges, lb.snapshot().hedgesRefused]).toEqual([28, 2, 23]);
    await attempts[25]!.fail(new Error('no retry'));
    expect(lb.snapshot()).toMatchObject({ retries: 0, retriesRefused: 1 });
  });

  it('has nowhere to go when all others are full or excluded by the policy', async () => {
    const { lb, clock, attempts, run } = balancer({ concurrency: 1, endpoints: endpoints.slice(0, 2) });
    run();
    lb.pick();
    await clock.advance(1_000);
    expect([attempts.length, lb.snapshot().hedges]).toEqual([1, 0]);
  });

  it('waits as long as 95 % of the recent answers took, when it is not told how long', async () => {
    const { lb, clock, attempts, run } = balancer({ hedge: {} });
    for (let ms = 1; ms <= 20; ms++) {
      const { result } = run();
      await clock.advance(ms === 20 ? 400 : ms);
      await attempts.at(-1)!.answer('well');
      await result;
    }
    // Not known until twenty have been answered
    expect([attempts.length, lb.snapshot().hedges]).toEqual([20, 0]);
    await clock.advance(300);
    run();
    await clock.advance(18);
    expect(attempts).toHaveLength(21);
    await clock.advance(3);
    expect(attempts).toHaveLength(22);
  });

  it('tells the policy how long the loser took at least, and nobody that it failed', async () => {
    const outrun: unknown[] = [];
    class Listening implements Policy<E> {
      #all: readonly Candidate<E>[] = [];
      update(all: readonly Candidate<E>[]) {
        this.#all = all;
      }
      pick({ skip }: Parameters<Policy<E>['pick']>[0]) {
        return this.#all.find(each => !skip(each));
      }
      outrun({ endpoint }: Candidate<E>, afterMs: number, now: number) {
        outrun.push([endpoint.id, afterMs, now]);
      }
    }
    const { clock, attempts, run } = balancer({ policy: () => new Listening() as never });
    const { result } = run();
    await clock.advance(70);
    await attempts[1]!.answer('well');
    await result;
    expect(outrun).toEqual([['a', 70, 70]]);
  });

  it('keeps peakEwma from an endpoint that never answers, though its requests are always hedged in time', async () => {
    const clock = new ManualClock();
    const hedge = { delayMs: 50, budgetPercent: 100 };
    const lb = new LoadBalancer<E>({ endpoints, policy: peakEwma(), clock, hedge });
    const asked = new Map(endpoints.map(({ id }) => [id, 0]));
    for (let i = 0; i < 300; i++) {
      const running = lb.run(
        ({ endpoint: { id } }) => {
          asked.set(id, asked.get(id)! + 1);
          return id === 'a' ? new Promise(() => {}) : clock.sleep(5);
        },
        { idempotent: true },
      );
      await clock.advance(60);
      await running;
    }
    expect(asked.get('a')).toBeLessThan(30);
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('ends with the error of a policy that fails, and leaves nothing on its way', async () => {
    class Failing implements Policy<E> {
      picks = 0;
      #all: readonly Candidate<E>[] = [];
      update(all: readonly Candidate<E>[]) {
        this.#all = all;
      }
      pick() {
        if (this.picks++ > 0) throw new Error('mine');
        return this.#all[0];
      }
    }
    const { lb, clock, attempts, run } = balancer({ policy: () => new Failing() as never });
    const { reason } = run();
    await clock.advance(50);
    expect(await reason()).toMatchObject({ message: 'mine' });
    expect(attempts[0]!.signal.aborted).toBe(true);
    expect([lb.snapshot().inFlight, clock.sleeping]).toEqual([0, 0]);
  });
});
