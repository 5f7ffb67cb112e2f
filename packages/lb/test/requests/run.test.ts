import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it, vi } from 'vitest';
import {
  ClosedError,
  DeadlineError,
  LoadBalancer,
  type LoadBalancerOptions,
  roundRobin,
} from '../../src/index.ts';
import { retryAfter } from '../../src/requests/classify.ts';
import { heard } from '../support/heard.ts';

type E = { id: string };
const endpoints: E[] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

function balancer(options: Partial<LoadBalancerOptions<E>> = {}) {
  const clock = new ManualClock();
  const lb = new LoadBalancer<E>({ endpoints, policy: roundRobin(), clock, random: () => 0, ...options });
  const counts = (id: string) => {
    const { inFlight, succeeded, failed, canceled } = lb.snapshot().endpoints.find(each => each.id === id)!;
    return { inFlight, succeeded, failed, canceled };
  };
  return { lb, clock, counts };
}

/** Attempts that note where they went and do what the list says, in turn. */
function attempts(...steps: (() => unknown)[]) {
  const tried: string[] = [];
  const attempt = async ({ endpoint }: { endpoint: E }) => {
    tried.push(endpoint.id);
    return steps[tried.length - 1]!();
  };
  return { tried, attempt };
}

const throws = (error: unknown) => () => {
  throw error;
};
const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' });
const response = (status: number, headers: Record<string, string> = {}) =>
  new Response('body', { status, headers });

describe('run', () => {
  it('gives what the attempt gives, and counts it', async () => {
    const { lb, counts } = balancer();
    expect(await lb.run(async ({ endpoint, attempt }) => `${endpoint.id}${attempt}`)).toBe('a1');
    expect(counts('a')).toEqual({ inFlight: 0, succeeded: 1, failed: 0, canceled: 0 });
  });

  it('tries another endpoint when the request is idempotent, and never one twice', async () => {
    const { lb, counts } = balancer();
    const { tried, attempt } = attempts(throws(new Error('1')), throws(new Error('2')), () => 'well');
    expect(await lb.run(attempt, { idempotent: true })).toBe('well');
    expect(new Set(tried).size).toBe(3);
    expect([counts(tried[0]!), counts(tried[2]!)]).toMatchObject([{ failed: 1 }, { succeeded: 1 }]);
    expect(lb.snapshot().retries).toBe(2);
  });

  it('ends with the error of the last attempt when all fail, or no other endpoint is left', async () => {
    const three = balancer().lb;
    const errors = [new Error('1'), new Error('2'), new Error('3')];
    const { attempt } = attempts(...errors.map(throws));
    await expect(three.run(attempt, { idempotent: true })).rejects.toBe(errors[2]);
    const one = balancer({ endpoints: [{ id: 'a' }] }).lb;
    const { tried, attempt: lonely } = attempts(throws(errors[0]));
    await expect(one.run(lonely, { idempotent: true })).rejects.toBe(errors[0]);
    expect(tried).toEqual(['a']);
  });

  it('does not repeat what is not idempotent, unless the error proves that it was not executed', async () => {
    for (const [error, times] of [
      [new Error('reset'), 1],
      [Object.assign(new Error(), { outcome: 'Unknown', cause: refused }), 1],
      [Object.assign(new Error(), { outcome: 'NotExecuted' }), 2],
      [refused, 2],
      [new TypeError('fetch failed', { cause: refused }), 2],
    ] as const) {
      const { tried, attempt } = attempts(throws(error), () => 'well');
      await balancer()
        .lb.run(attempt)
        .catch(() => {});
      expect(tried).toHaveLength(times);
    }
  });

  it('takes a response of 500 and more, or 429, for a failure, and gives the last one back', async () => {
    const { lb } = balancer();
    for (const [status, failed] of [
      [200, 0],
      [404, 0],
      [499, 0],
      [429, 1],
      [500, 1],
      [503, 1],
    ] as const) {
      const before = lb.snapshot().endpoints.reduce((sum, each) => sum + each.failed, 0);
      expect(((await lb.run(async () => response(status))) as Response).status).toBe(status);
      expect(lb.snapshot().endpoints.reduce((sum, each) => sum + each.failed, 0) - before).toBe(failed);
    }
    const { tried, attempt } = attempts(...[503, 502, 500].map(status => () => response(status)));
    expect(((await lb.run(attempt, { idempotent: true })) as Response).status).toBe(500);
    expect(tried).toHaveLength(3);
    expect(await lb.run(async () => ({ status: 500 }))).toEqual({ status: 500 });
    expect(await lb.run(async () => ({ statusCode: 503, headers: {} }))).toMatchObject({ statusCode: 503 });
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('frees the response that it does not give back', async () => {
    const first = response(503);
    const destroyed = vi.fn();
    const stream = { on: () => stream, destroy: destroyed };
    const { attempt } = attempts(
      () => first,
      () => ({ statusCode: 500, headers: {}, body: stream }),
      () => response(200),
    );
    expect(((await balancer().lb.run(attempt, { idempotent: true })) as Response).status).toBe(200);
    expect(destroyed).toHaveBeenCalledOnce();
    await expect(first.text()).rejects.toThrow();
  });

  it('tells policies and ejection what `Retry-After` says, in seconds and as a date', async () => {
    const told = heard('outcome');
    const { lb } = balancer();
    await lb.run(async () => response(503, { 'retry-after': '7' }));
    await lb.run(async () => response(429, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }));
    await lb.run(async () => response(503, { 'retry-after': 'soon' }));
    const [seconds, date, neither] = told.stop() as { outcome: { retryAfterMs?: number } }[];
    expect(seconds?.outcome.retryAfterMs).toBe(7_000);
    expect(date?.outcome.retryAfterMs).toBeGreaterThan(50_000);
    expect(neither?.outcome).not.toHaveProperty('retryAfterMs');
  });

  it('takes for `Retry-After` what RFC 9110 does, and no other text', () => {
    for (const none of ['5, 5', '-5', '1.5', 'in 2050', '2050-01-01', 'soon', '', undefined, ['5']]) {
      expect([none, retryAfter(none)]).toEqual([none, undefined]);
    }
    const at = Date.UTC(2049, 10, 7, 8, 49, 37);
    for (const date of [
      'Sun, 07 Nov 2049 08:49:37 GMT',
      'Sunday, 07-Nov-49 08:49:37 GMT',
      'Sun Nov  7 08:49:37 2049',
    ]) {
      expect(Math.abs(retryAfter(date)! + Date.now() - at)).toBeLessThan(1_000);
    }
    expect(retryAfter('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(0);
  });

  it('asks `classify`, which may also allow or forbid the retry', async () => {
    const { lb, counts } = balancer();
    const notFound = Object.assign(new Error(), { status: 404 });
    const mine = { classify: () => ({ ok: true }), idempotent: true };
    await expect(lb.run(attempts(throws(notFound)).attempt, mine)).rejects.toBe(notFound);
    expect(counts('a')).toMatchObject({ succeeded: 1, failed: 0 });
    const allowed = attempts(throws(notFound), () => 'well');
    const classify = (result: object) => ({ ok: 'value' in result, retry: true });
    expect(await lb.run(allowed.attempt, { classify })).toBe('well');
    const forbidden = attempts(throws(refused));
    const never = { classify: () => ({ ok: false, retry: false }), idempotent: true };
    await expect(lb.run(forbidden.attempt, never)).rejects.toBe(refused);
  });

  it('leaves nothing in flight when `classify` fails', async () => {
    const { lb } = balancer();
    const classify = throws(new Error('mine')) as () => never;
    await expect(lb.run(async () => 1, { classify })).rejects.toThrow('mine');
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ canceled: 1 }, {}, {}] });
  });

  it('ends at the deadline, also when the attempt does not heed its signal, and blames the endpoint', async () => {
    const { lb, clock, counts } = balancer();
    const late = vi.fn();
    const signals: AbortSignal[] = [];
    const { promise: slow, resolve } = deferred<object>();
    const running = lb.run(
      ({ signal }) => {
        signals.push(signal);
        return slow;
      },
      { timeoutMs: 500, idempotent: true },
    );
    const settled = Promise.allSettled([running]);
    await clock.advance(499);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advance(1);
    const [{ reason }] = (await settled) as [PromiseRejectedResult];
    expect(reason).toBeInstanceOf(DeadlineError);
    expect(reason).toMatchObject({ outcome: 'Unknown', timeoutMs: 500 });
    expect(signals[0]?.reason).toBe(reason);
    expect(counts('a')).toEqual({ inFlight: 0, succeeded: 0, failed: 1, canceled: 0 });
    resolve({ body: { on: () => ({ destroy: late }), destroy: late } });
    await clock.advance(0);
    expect(late).toHaveBeenCalledOnce();
    expect(clock.sleeping).toBe(0);
  });

  it('goes to another endpoint when an attempt takes longer than its own time', async () => {
    const { lb, clock, counts } = balancer({ retry: { attemptTimeoutMs: 100 } });
    const signals: AbortSignal[] = [];
    const running = lb.run(
      ({ signal, attempt }) => {
        signals.push(signal);
        return attempt === 1 ? new Promise(() => {}) : Promise.resolve('well');
      },
      { idempotent: true, timeoutMs: 1_000 },
    );
    await clock.advance(100);
    expect(await running).toBe('well');
    expect(signals.map(signal => signal.aborted)).toEqual([true, false]);
    expect(counts('a')).toMatchObject({ failed: 1 });
    expect(clock.sleeping).toBe(0);
    const stuck = Promise.allSettled([lb.run(() => new Promise(() => {}))]);
    await clock.advance(100);
    expect(await stuck).toMatchObject([{ reason: { code: 'ASHLAR_LB_DEADLINE', outcome: 'Unknown' } }]);
  });

  it('ends when the caller gives up, with his reason, and blames nobody', async () => {
    const { lb, counts } = balancer();
    const caller = new AbortController();
    const removed = vi.spyOn(caller.signal, 'removeEventListener');
    const running = lb.run(() => new Promise(() => {}), { signal: caller.signal, idempotent: true });
    caller.abort('enough');
    await expect(running).rejects.toBe('enough');
    expect(counts('a')).toEqual({ inFlight: 0, succeeded: 0, failed: 0, canceled: 1 });
    expect(removed).toHaveBeenCalledOnce();
    const attempt = vi.fn(async () => 1);
    await expect(lb.run(attempt, { signal: caller.signal })).rejects.toBe('enough');
    expect(attempt).not.toHaveBeenCalled();
  });

  it('takes one place on a signal that many requests share, and gives it back', async () => {
    const { lb } = balancer();
    const { signal } = new AbortController();
    const [added, removed] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')];
    for (let round = 1; round <= 2; round++) {
      await Promise.all(Array.from({ length: 30 }, () => lb.run(async () => 1, { signal })));
      expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([round, round]);
    }
    const caller = new AbortController();
    const all = Array.from({ length: 30 }, () =>
      lb.run(() => new Promise(() => {}), { signal: caller.signal }),
    );
    const settled = Promise.allSettled(all);
    caller.abort('all of you');
    expect(new Set((await settled).map(each => (each as PromiseRejectedResult).reason))).toEqual(
      new Set(['all of you']),
    );
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('leaves the signal alone once it has settled, so that a body can be read', async () => {
    const { lb, clock } = balancer();
    let signal: AbortSignal | undefined;
    const caller = new AbortController();
    await lb.run(
      async context => {
        signal = context.signal;
      },
      { timeoutMs: 10, signal: caller.signal },
    );
    await clock.advance(1_000);
    caller.abort();
    await lb.close();
    expect(signal?.aborted).toBe(false);
  });

  it('ends when the balancer is closed', async () => {
    const { lb } = balancer();
    const running = Promise.allSettled([lb.run(() => new Promise(() => {}))]);
    await Promise.resolve();
    await lb.close();
    const [{ reason }] = (await running) as [PromiseRejectedResult];
    expect(reason).toBeInstanceOf(ClosedError);
    expect(reason.outcome).toBe('Unknown');
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ canceled: 1 }, {}, {}] });
  });

  it('takes an attempt that throws at once for one that rejects', async () => {
    const { lb } = balancer({ retry: false });
    await expect(lb.run(throws(new Error('at once')) as never, { idempotent: true })).rejects.toThrow(
      'at once',
    );
    expect(lb.snapshot().retries).toBe(0);
  });

  it('refuses a deadline that cannot be', async () => {
    const { lb } = balancer();
    for (const timeoutMs of [0, -1, Number.NaN, Infinity, '5' as never]) {
      await expect(lb.run(async () => 1, { timeoutMs })).rejects.toThrow(
        '`timeoutMs` must be a number of milliseconds above 0',
      );
    }
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('refuses what is no signal and no attempt, and blames nobody', async () => {
    const { lb } = balancer();
    for (const signal of [null, {}, new AbortController()] as never[]) {
      const refused = { code: 'ASHLAR_CORE_INVALID_OPTION', option: 'signal' };
      await expect(lb.run(async () => 1, { signal })).rejects.toMatchObject(refused);
      await expect(lb.acquire({ signal })).rejects.toMatchObject(refused);
    }
    const message = '`attempt` must be a function, got 5 (number)';
    await expect(lb.run(5 as never)).rejects.toThrow(message);
    const { inFlight, endpoints } = lb.snapshot();
    expect([inFlight, ...endpoints.map(({ failed }) => failed)]).toEqual([0, 0, 0, 0]);
  });

  it('tells of retries', async () => {
    const told = heard('retry');
    const { lb } = balancer();
    const { tried, attempt } = attempts(
      throws(refused),
      () => response(503),
      () => 'well',
    );
    await lb.run(attempt, { idempotent: true });
    expect(told.stop()).toEqual([
      { balancer: 'lb', from: tried[0], endpoint: tried[1], attempt: 2, error: refused },
      { balancer: 'lb', from: tried[1], endpoint: tried[2], attempt: 3 },
    ]);
  });
});

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>(settle => {
    resolve = settle;
  });
  return { promise, resolve };
}
