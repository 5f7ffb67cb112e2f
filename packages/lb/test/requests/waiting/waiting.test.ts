import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Candidate,
  ClosedError,
  DeadlineError,
  type Endpoint,
  type Limiter,
  LoadBalancer,
  type LoadBalancerOptions,
  NoEndpointError,
  type Picked,
  type PickRequest,
  type Policy,
  roundRobin,
} from '../../../src/index.ts';
import { policies } from '../../policies.ts';
import { Feed } from '../../support/discovery/feed.ts';
import { heard } from '../../support/heard.ts';

function balancer(options: Partial<LoadBalancerOptions<Endpoint>> = {}) {
  const clock = new ManualClock();
  const endpoints = [{ id: 'a' }, { id: 'b' }];
  const lb = new LoadBalancer<Endpoint>({
    endpoints,
    policy: roundRobin(),
    concurrency: 1,
    clock,
    ...options,
  });
  /** Acquires, and notes who was served. */
  const served: string[] = [];
  const acquire = async (
    name: string,
    bounds: { key?: string; timeoutMs?: number; signal?: AbortSignal } = {},
  ) => {
    const picked = await lb.acquire(bounds);
    served.push(name);
    return picked;
  };
  return { lb, clock, acquire, served };
}

const turn = () => new Promise(resolve => setImmediate(resolve));
const refused = (reason: NoEndpointError['reason']) =>
  expect.objectContaining({ code: NoEndpointError.code, reason });

describe('a limit of concurrency', () => {
  for (const { name, policy } of policies) {
    it(`holds for ${name}`, () => {
      const endpoints = ['a', 'b', 'c'].map((id, index) => ({ id, limit: index + 1 }));
      const lb = new LoadBalancer({ endpoints, policy, concurrency: ({ limit }) => limit });
      const picked = Array.from({ length: 6 }, (_, key) => lb.pick({ key: `${key}` }));
      expect(lb.snapshot().endpoints).toMatchObject([
        { inFlight: 1, limit: 1 },
        { inFlight: 2, limit: 2 },
        { inFlight: 3, limit: 3 },
      ]);
      expect(() => lb.pick()).toThrow(refused('full'));
      picked[3]!.done({ ok: true });
      expect(lb.pick().endpoint).toBe(picked[3]!.endpoint);
    });
  }

  it('is why there is no endpoint only if one is full that is not excluded', () => {
    const { lb } = balancer();
    lb.pick({ exclude: ['b'] });
    expect(() => lb.pick({ exclude: ['b'] })).toThrow(refused('full'));
    expect(() => lb.pick({ exclude: ['a', 'b'] })).toThrow(refused('excluded'));
  });

  it('follows the endpoints, and a limiter stays with its endpoint', async () => {
    const feed = new Feed<Endpoint & { max?: number }>();
    let made = 0;
    const limiter = (): Limiter => ({ limit: ++made, settled() {} });
    const concurrency = ({ max }: { max?: number }) => max ?? limiter();
    const lb = new LoadBalancer({ endpoints: feed, concurrency });
    const limits = () => lb.snapshot().endpoints.map(({ limit }) => limit);
    await feed.give([{ id: 'a' }, { id: 'b', max: 7 }]);
    expect(limits()).toEqual([1, 7]);
    await feed.give([
      { id: 'a', weight: 3 },
      { id: 'b', max: 9 },
    ]);
    expect(limits()).toEqual([1, 9]);
    await feed.give([{ id: 'a', max: 0 }]);
    expect([limits(), lb.snapshot().discoveryError]).toEqual([
      [1, 9],
      expect.stringContaining('`concurrency`'),
    ]);
    await feed.give([{ id: 'a', max: Infinity }]);
    expect(limits()).toEqual([undefined]);
    await lb.close();
  });

  it('adapts to what a limiter finds, which is told, and is never less than one', () => {
    const told = heard('limit');
    const samples: object[] = [];
    const limiter = {
      limit: 2,
      settled(sample: object) {
        samples.push(sample);
        this.limit = [3, Number.NaN, 0][samples.length - 1]!;
      },
    };
    const { lb } = balancer({ endpoints: [{ id: 'a' }], concurrency: () => limiter });
    const [first, second] = [lb.pick(), lb.pick()];
    first.done({ ok: false, latencyMs: 30 });
    lb.pick().done();
    expect([samples.length, lb.snapshot().endpoints[0]?.limit]).toEqual([1, 3]);
    second.done({ ok: true, latencyMs: 40 });
    lb.pick().done({ ok: true, latencyMs: 50 });
    expect(samples).toEqual([
      { now: 0, latencyMs: 30, inFlight: 2, dropped: true },
      { now: 0, latencyMs: 40, inFlight: 1, dropped: false },
      { now: 0, latencyMs: 50, inFlight: 1, dropped: false },
    ]);
    expect(told.stop()).toEqual([
      { balancer: 'lb', endpoint: 'a', from: 2, to: 3 },
      { balancer: 'lb', endpoint: 'a', from: 3, to: 1 },
    ]);
  });
});

describe('waiting for an endpoint', () => {
  it('serves in the order of the calls, each as soon as a request is done', async () => {
    const { lb, clock, acquire, served } = balancer();
    const busy = [lb.pick(), lb.pick()];
    const waiting = ['1', '2', '3'].map(name => acquire(name));
    expect(lb.snapshot().waiting).toBe(3);
    busy[1]!.done({ ok: true });
    expect(lb.snapshot()).toMatchObject({ waiting: 2, inFlight: 2 });
    const first = await waiting[0]!;
    expect([first.endpoint.id, served]).toEqual(['b', ['1']]);
    first.done();
    busy[0]!.done();
    await Promise.all(waiting);
    expect(served).toEqual(['1', '2', '3']);
    expect([lb.snapshot().waiting, clock.sleeping]).toEqual([0, 0]);
  });

  it('lets nobody in before those who wait', async () => {
    const { lb, acquire, served } = balancer({ endpoints: [{ id: 'a' }] });
    const busy = lb.pick();
    const first = acquire('first');
    busy.done();
    expect(() => lb.pick()).toThrow(refused('full'));
    const second = acquire('second');
    (await first).done();
    (await second).done();
    expect(served).toEqual(['first', 'second']);
  });

  it('is refused when so many wait already as may, and `run` with it', async () => {
    const { lb, acquire } = balancer({ maxWaiting: 1, endpoints: [{ id: 'a' }] });
    const busy = lb.pick();
    const waiting = acquire('waits');
    await expect(acquire('too many')).rejects.toEqual(refused('full'));
    await expect(lb.run(async () => 1)).rejects.toMatchObject({ reason: 'full', outcome: 'NotExecuted' });
    busy.done();
    (await waiting).done();
    const never = balancer({ maxWaiting: 0, endpoints: [{ id: 'a' }] });
    never.lb.pick();
    await expect(never.acquire('none may')).rejects.toEqual(refused('full'));
  });

  it('ends when it took too long, when its deadline comes, or when its caller gives up: and out of the line', async () => {
    const { lb, clock, acquire, served } = balancer({ maxWaitMs: 100, endpoints: [{ id: 'a' }] });
    const busy = lb.pick();
    const caller = new AbortController();
    const waiting = [
      acquire('too long'),
      acquire('deadline', { timeoutMs: 30 }),
      acquire('gives up', { signal: caller.signal }),
      lb.run(async () => 1, { timeoutMs: 60 }),
    ];
    const settled = Promise.allSettled(waiting);
    caller.abort('enough');
    expect(lb.snapshot().waiting).toBe(3);
    await clock.advance(30);
    expect(lb.snapshot().waiting).toBe(2);
    await clock.advance(50);
    const late = acquire('late');
    await clock.advance(20);
    expect(await settled).toMatchObject([
      { reason: { code: NoEndpointError.code, reason: 'waited', outcome: 'NotExecuted' } },
      { reason: { code: DeadlineError.code, outcome: 'NotExecuted', timeoutMs: 30 } },
      { reason: 'enough' },
      { reason: { code: DeadlineError.code, outcome: 'NotExecuted' } },
    ]);
    busy.done();
    (await late).done();
    expect([served, lb.snapshot().inFlight, clock.sleeping]).toEqual([['late'], 0, 0]);
  });

  it('hands on the place of one that was served and gave up in the same moment', async () => {
    const { lb, acquire, served } = balancer({ endpoints: [{ id: 'a' }] });
    const busy = lb.pick();
    const caller = new AbortController();
    const first = acquire('first', { signal: caller.signal });
    const second = acquire('second');
    busy.done();
    caller.abort('enough');
    await expect(first).rejects.toBe('enough');
    (await second).done();
    expect([served, lb.snapshot().inFlight]).toEqual([['second'], 0]);
  });

  it('keeps no place for one that gives up while it is being served', async () => {
    const { lb, acquire, served } = balancer({ endpoints: [{ id: 'a' }] });
    const busy = lb.pick();
    const caller = new AbortController();
    const first = acquire('first', { signal: caller.signal });
    const second = acquire('second');
    const onPick = () => caller.abort('enough');
    subscribe('ashlar:lb:pick', onPick);
    onTestFinished(() => void unsubscribe('ashlar:lb:pick', onPick));
    busy.done();
    await expect(first).rejects.toBe('enough');
    (await second).done();
    expect([served, lb.snapshot().inFlight]).toEqual([['second'], 0]);
  });

  it('passes over who gives up while the one before is being served', async () => {
    class Growing implements Limiter {
      limit = 1;
      settled() {
        this.limit = 3;
      }
    }
    const { lb, acquire, served } = balancer({ endpoints: [{ id: 'a' }], concurrency: () => new Growing() });
    const busy = lb.pick();
    const caller = new AbortController();
    const first = acquire('first');
    const second = acquire('second', { signal: caller.signal }).catch(reason => reason);
    const third = acquire('third');
    const onPick = () => caller.abort('enough');
    subscribe('ashlar:lb:pick', onPick);
    onTestFinished(() => void unsubscribe('ashlar:lb:pick', onPick));
    busy.done({ ok: true });
    expect(await second).toBe('enough');
    for (const picked of [await first, await third]) picked.done();
    expect([served, lb.snapshot().inFlight, lb.snapshot().waiting]).toEqual([['first', 'third'], 0, 0]);
  });

  it('ends for all when the balancer is closed', async () => {
    const { lb, clock, acquire } = balancer();
    lb.pick();
    lb.pick();
    const settled = Promise.allSettled([acquire('1'), lb.run(async () => 1)]);
    await lb.close();
    for (const { reason } of (await settled) as PromiseRejectedResult[]) {
      expect(reason).toBeInstanceOf(ClosedError);
      expect(reason.outcome).toBe('NotExecuted');
    }
    expect([lb.snapshot().waiting, clock.sleeping]).toEqual([0, 0]);
  });

  it('ends when an endpoint joins, gets weight or has its limit raised; and when none is left', async () => {
    const feed = new Feed<Endpoint & { max?: number }>();
    const lb = new LoadBalancer({ endpoints: feed, concurrency: ({ max = 1 }) => max });
    const picks: Promise<Picked<Endpoint>>[] = [];
    const acquire = () => picks.push(lb.acquire());
    acquire();
    acquire();
    await feed.give([{ id: 'a' }, { id: 'b', weight: 0 }]);
    expect(lb.snapshot()).toMatchObject({ waiting: 1, inFlight: 1 });
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    acquire();
    expect(lb.snapshot()).toMatchObject({ waiting: 1, inFlight: 2 });
    await feed.give([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
    for (let i = 0; i < 3; i++) acquire();
    await feed.give([{ id: 'a', max: 3 }, { id: 'b' }, { id: 'c' }]);
    expect(lb.snapshot()).toMatchObject({ waiting: 1, inFlight: 5 });
    const settled = Promise.allSettled(picks);
    await feed.give([{ id: 'a', weight: 0 }]);
    expect((await settled).at(-1)).toMatchObject({ reason: { reason: 'empty' } });
    await lb.close();
  });

  it('ends when an ejection does, though no request comes or goes', async () => {
    const outlier = { consecutiveFailures: 1, baseEjectionMs: 300 };
    const { lb, clock, acquire } = balancer({ outlier });
    lb.pick({ exclude: ['b'] }).done({ ok: false });
    lb.pick();
    const waiting = acquire('waits');
    await clock.advance(299);
    expect(lb.snapshot().waiting).toBe(1);
    await clock.advance(1);
    const probe = await waiting;
    expect([probe.endpoint.id, lb.snapshot().endpoints[0]?.state]).toEqual(['a', 'probing']);
    const next = acquire('next');
    probe.done({ ok: true });
    expect((await next).endpoint.id).toBe('a');
    expect(clock.sleeping).toBe(0);
  });

  it('ends for several when a limiter finds that more can be taken', async () => {
    const limiter = {
      limit: 1,
      settled() {
        this.limit = 3;
      },
    };
    const { lb, acquire, served } = balancer({ endpoints: [{ id: 'a' }], concurrency: () => limiter });
    const busy = lb.pick();
    for (let number = 1; number <= 5; number++) void acquire(`${number}`).catch(() => {});
    busy.done({ ok: true });
    await turn();
    expect([served, lb.snapshot().waiting]).toEqual([['1', '2', '3'], 2]);
    await lb.close();
  });

  it('does not wait for what the policy would never give it, nor holds up the others', async () => {
    const { lb, acquire, served } = balancer({ policy: () => new OwnOnly() });
    const [a, b] = [lb.pick({ key: 'a' }), lb.pick({ key: 'b' })];
    const waiting = [acquire('1', { key: 'a' }), acquire('2', { key: 'a' }), acquire('3', { key: 'b' })];
    b.done();
    await waiting[2];
    expect(served).toEqual(['3']);
    a.done();
    (await waiting[0]!).done();
    await waiting[1];
    expect(served).toEqual(['3', '1', '2']);
    await expect(balancer({ policy: () => new OwnOnly() }).acquire('x', { key: 'x' })).rejects.toEqual(
      refused('excluded'),
    );
  });

  it('ends with the error of a policy that fails, for one, and goes on for the rest', async () => {
    let fails = false;
    class Failing<E extends Endpoint> extends OwnOnly<E> {
      override pick(request: PickRequest<E>) {
        if (fails && request.key === 'bad') throw new Error('mine');
        return super.pick(request);
      }
    }
    const { lb, acquire } = balancer({ policy: () => new Failing() });
    const busy = lb.pick({ key: 'a' });
    lb.pick({ key: 'b' });
    const waiting = [acquire('1', { key: 'bad' }), acquire('2', { key: 'a' })];
    const settled = Promise.allSettled(waiting);
    fails = true;
    busy.done();
    expect(await settled).toMatchObject([
      { reason: { message: 'mine' } },
      { value: { endpoint: { id: 'a' } } },
    ]);
  });
});

/** Gives each key the endpoint of that name and no other. */
class OwnOnly<E extends Endpoint> implements Policy<E> {
  #all: readonly Candidate<E>[] = [];
  update(eligible: readonly Candidate<E>[]) {
    this.#all = eligible;
  }
  pick(request: PickRequest<E>): Candidate<E> | undefined {
    return this.#all.find(each => each.endpoint.id === request.key && !request.skip(each));
  }
}
