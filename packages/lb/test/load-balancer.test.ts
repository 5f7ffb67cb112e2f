import { InvalidOptionError } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  ClosedError,
  DuplicateEndpointError,
  type Endpoint,
  InvalidEndpointError,
  LoadBalancer,
  NoEndpointError,
  type Outcome,
  type Policy,
  PolicyError,
  random,
  roundRobin,
  shuffleShard,
  weightedRoundRobin,
  zoneAware,
} from '../src/index.ts';

const ids = (...names: string[]) => names.map(id => ({ id }));

describe('LoadBalancer', () => {
  it('refuses endpoints that cannot be ones, and says which', () => {
    const make = (endpoints: unknown) => () => new LoadBalancer({ endpoints: endpoints as Endpoint[] });
    expect(make(ids('a', 'b', 'a'))).toThrow(DuplicateEndpointError);
    expect(make(ids('a', 'b', 'a'))).toThrow('endpoint "a" is listed twice');
    for (const weight of [-1, Number.NaN, Infinity, 2 ** 53, '2', null]) {
      expect(make([{ id: 'a' }, { id: 'b', weight }])).toThrow(InvalidEndpointError);
      expect(make([{ id: 'a' }, { id: 'b', weight }])).toThrow('endpoint 1 ("b") must have a `weight`');
    }
    for (const endpoint of [
      null,
      'a',
      {},
      { id: '' },
      { id: 7 },
      { id: 'a', url: 1 },
      { id: 'a', zone: {} },
    ]) {
      expect(make([endpoint])).toThrow(InvalidEndpointError);
    }
    for (const endpoints of [undefined, null, 7, {}]) expect(make(endpoints)).toThrow(InvalidOptionError);
  });

  it('shares by the greatest weights that there may be', () => {
    const weight = Number.MAX_SAFE_INTEGER;
    const endpoints = [...ids('a', 'b').map(each => ({ ...each, weight })), { id: 'c', weight: 1 }];
    const lb = new LoadBalancer<Endpoint>({ endpoints, policy: weightedRoundRobin() });
    const picked = Array.from({ length: 6 }, () => lb.pick().endpoint.id);
    expect(picked.join('')).toBe('ababab');
  });

  it('refuses options that it does not have or cannot honor', () => {
    const make = (options: object) => () => new LoadBalancer({ endpoints: ids('a'), ...options });
    expect(make({ hedged: {} })).toThrow('LoadBalancer has no option `hedged`');
    expect(make({ hedge: { delayMs: -1 } })).toThrow('`hedge.delayMs`');
    expect(make({ hedge: { delayMs: 5, percentile: 90 } })).toThrow('`delayMs` or `percentile`, not both');
    expect(make({ hedge: { percentile: 100 } })).toThrow('`hedge.percentile` must be below 100, got 100');
    expect(make({ hedge: { max: 0 } })).toThrow('`hedge.max`');
    expect(make({ hedge: { budgetPercent: -1 } })).toThrow('`hedge.budgetPercent`');
    expect(make({ concurrency: 0 })).toThrow('`concurrency` must be an integer of at least 1, got 0');
    expect(make({ concurrency: () => 1.5 })).toThrow('`concurrency` must be an integer');
    expect(make({ concurrency: () => ({}) })).toThrow('got an empty object');
    expect(make({ concurrency: 'many' })).toThrow(
      '`concurrency` must be a number or a function of the endpoint',
    );
    expect(make({ maxWaiting: -1 })).toThrow('`maxWaiting`');
    expect(make({ maxWaitMs: -1 })).toThrow(
      '`maxWaitMs` must be a number of milliseconds of at least 0, got -1',
    );
    expect(make({ retry: { attempts: 0 } })).toThrow('`retry.attempts`');
    expect(make({ policy: roundRobin })).toThrow('got a function that makes no policy: call it');
    for (const policy of [{}, 'roundRobin', null])
      expect(make({ policy })).toThrow('`policy` must be a policy');
    for (const outer of [
      zoneAware({ zone: 'a', policy: roundRobin as never }),
      shuffleShard({ size: 1, policy: random as never }),
    ])
      expect(make({ policy: outer })).toThrow('got a function that makes no policy');
    expect(make({ retry: { tries: 3 } })).toThrow('`retry` has no option `tries`');
    expect(make({ outlier: { maxEjectionPercent: 0 } })).toThrow('`outlier.maxEjectionPercent`');
    expect(make({ outlier: { baseEjectionMs: 10, maxEjectionMs: 5 } })).toThrow('`outlier.maxEjectionMs`');
  });

  it('counts what is in flight, whichever way it ends, and each end once', () => {
    const lb = new LoadBalancer({ endpoints: ids('a', 'b'), policy: roundRobin() });
    const [good, bad, given, kept] = [lb.pick(), lb.pick(), lb.pick(), lb.pick()];
    expect(lb.snapshot()).toMatchObject({ inFlight: 4, endpoints: [{ inFlight: 2 }, { inFlight: 2 }] });
    good.done({ ok: true });
    good.done({ ok: false });
    bad.done({ ok: false, error: new Error('no') });
    given.done();
    kept[Symbol.dispose]();
    kept.done({ ok: true });
    expect(lb.snapshot()).toMatchObject({
      inFlight: 0,
      endpoints: [
        { id: 'a', inFlight: 0, picked: 2, succeeded: 1, failed: 0, canceled: 1 },
        { id: 'b', inFlight: 0, picked: 2, succeeded: 0, failed: 1, canceled: 1 },
      ],
    });
  });

  it('never picks what is excluded', () => {
    const lb = new LoadBalancer({ endpoints: ids('a', 'b', 'c') });
    for (let i = 0; i < 50; i++) expect(lb.pick({ exclude: new Set(['a', 'c']) }).endpoint.id).toBe('b');
    expect(() => lb.pick({ exclude: ['a', 'b', 'c'] })).toThrow(
      expect.objectContaining({ code: 'ASHLAR_LB_NO_ENDPOINT', reason: 'excluded', outcome: 'NotExecuted' }),
    );
    expect(() => lb.pick({ exclude: 'a' })).toThrow(InvalidOptionError);
    expect(lb.pick().endpoint).toBeDefined();
  });

  it('has no endpoint to give where there is none, or none has weight', () => {
    const none = new LoadBalancer({ endpoints: [] });
    expect(() => none.pick()).toThrow(NoEndpointError);
    const weightless = new LoadBalancer({ name: 'shop', endpoints: [{ id: 'a', weight: 0 }] });
    expect(() => weightless.pick()).toThrow('shop has no endpoint for the request: there are none');
    expect(weightless.snapshot().endpoints[0]?.state).toBe('drained');
  });

  it('tells the policy how requests went, with the time from pick to done or that of the caller', async () => {
    const clock = new ManualClock(100);
    const heard: [string, Outcome][] = [];
    class Listening<E extends Endpoint> implements Policy<E> {
      #all: readonly Candidate<E>[] = [];
      update(eligible: readonly Candidate<E>[]) {
        this.#all = eligible;
      }
      pick() {
        return this.#all[0];
      }
      settled({ endpoint }: Candidate<E>, outcome: Outcome) {
        heard.push([endpoint.id, outcome]);
      }
    }
    const lb = new LoadBalancer<Endpoint>({ endpoints: ids('a'), policy: () => new Listening(), clock });
    const [first, second] = [lb.pick(), lb.pick()];
    await clock.advance(30);
    first.done({ ok: false, error: 'x', retryAfterMs: 2_000 });
    second.done({ ok: true, latencyMs: 7 });
    expect(heard).toEqual([
      ['a', { ok: false, latencyMs: 30, error: 'x', retryAfterMs: 2_000 }],
      ['a', { ok: true, latencyMs: 7 }],
    ]);
  });

  it('does not follow a policy that picks what it was not offered', () => {
    class Stranger<E extends Endpoint> implements Policy<E> {
      update() {}
      pick(): Candidate<E> {
        return { endpoint: { id: 'elsewhere' } as E, inFlight: 0, weight: 1 };
      }
    }
    const lb = new LoadBalancer<Endpoint>({ endpoints: ids('a'), policy: () => new Stranger() });
    expect(() => lb.pick()).toThrow(PolicyError);
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('refuses everything once it is closed, but late ends still count', async () => {
    const lb = new LoadBalancer({ endpoints: ids('a') });
    const picked = lb.pick();
    await lb.close();
    await lb[Symbol.asyncDispose]();
    expect(() => lb.pick()).toThrow(ClosedError);
    await expect(lb.acquire()).rejects.toThrow(ClosedError);
    await expect(lb.run(async () => 1)).rejects.toThrow('lb is closed');
    picked.done({ ok: true });
    expect(lb.snapshot()).toMatchObject({ closed: true, inFlight: 0 });
    expect(() => JSON.stringify(lb.snapshot())).not.toThrow();
  });
});
