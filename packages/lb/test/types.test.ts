import { HashRing, type Placement } from '@ashlar/hash-ring';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type Candidate,
  consistent,
  type Discovery,
  type Endpoint,
  LoadBalancer,
  leastRequests,
  type Outcome,
  type Picked,
  type Policy,
  type PolicyFactory,
  roundRobin,
} from '../src/index.ts';

/** A policy as a user would write one, with no more of the shapes than it needs. */
class Quietest<E extends Endpoint> implements Policy<E> {
  #all: readonly Candidate<E>[] = [];
  update(eligible: readonly Candidate<E>[]) {
    this.#all = eligible;
  }
  pick(request: { skip(candidate: Candidate<E>): boolean }) {
    return this.#all.filter(each => !request.skip(each)).sort((a, b) => a.inFlight - b.inFlight)[0];
  }
  settled(_candidate: Candidate<E>, _outcome: Outcome) {}
}

async function* polled(): AsyncIterable<readonly Endpoint[]> {
  yield [{ id: 'first' }];
  yield [{ id: 'first' }, { id: 'second', weight: 2 }];
}

describe('programs of users', () => {
  it('keep the type of their endpoints', async () => {
    await using lb = new LoadBalancer({ endpoints: [{ id: 'a', url: 'http://127.0.0.1:1', port: 1 }] });
    const picked = lb.pick();
    expectTypeOf(picked.endpoint).toEqualTypeOf<{ id: string; url: string; port: number }>();
    picked.done({ ok: true });
    const url = await lb.run(async ({ endpoint, signal, attempt }) => {
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(attempt).toEqualTypeOf<number>();
      return endpoint.url;
    });
    expectTypeOf(url).toEqualTypeOf<string>();
    expect(url).toBe('http://127.0.0.1:1');
  });

  it('run a request with fetch, with an idempotency, a deadline and a verdict of their own', async () => {
    await using lb = new LoadBalancer({
      endpoints: [{ id: 'a', url: 'data:,hello' }],
      policy: leastRequests(),
    });
    const response = await lb.run(({ endpoint, signal }) => fetch(endpoint.url, { signal }), {
      idempotent: true,
      timeoutMs: 5_000,
      classify: result => ({ ok: 'value' in result && result.value.ok, retryAfterMs: 10 }),
    });
    expectTypeOf(response).toEqualTypeOf<Response>();
    expect(await response.text()).toBe('hello');
  });

  it('stick to keys over endpoints that come and go', async () => {
    const policy = consistent(endpoints => new HashRing(endpoints), { loadFactor: 1.25 });
    await using lb = new LoadBalancer({ endpoints: polled(), policy });
    const picked: Picked<Endpoint> = await lb.acquire({ key: 'user:1' });
    picked.done({ ok: true });
    lb.pick({ key: new Uint8Array([1]), exclude: ['first'] }).done();
    expectTypeOf(polled()).toExtend<Discovery<Endpoint>>();
  });

  it('bring policies of their own', () => {
    const policy: PolicyFactory = () => new Quietest();
    const lb = new LoadBalancer<Endpoint>({ endpoints: [{ id: 'a' }, { id: 'b' }], policy });
    expect([lb.pick(), lb.pick()].map(({ endpoint }) => endpoint.id)).toEqual(['a', 'b']);
    expect(() =>
      new LoadBalancer<Endpoint>({ endpoints: [], policy: () => new Quietest() }).pick(),
    ).toThrow();
    const place = (endpoints: readonly Endpoint[]): Placement => new HashRing(endpoints.map(({ id }) => id));
    expectTypeOf(consistent(place)).toEqualTypeOf<PolicyFactory>();
  });

  it('are stopped by the compiler where they are wrong', () => {
    const wrong = () => {
      // @ts-expect-error an endpoint has an id
      new LoadBalancer({ endpoints: [{ url: 'http://127.0.0.1' }] });
      // @ts-expect-error a policy is given as a factory that has been called
      new LoadBalancer({ endpoints: [], policy: roundRobin });
      // @ts-expect-error there is no such option
      new LoadBalancer({ endpoints: [], hedged: {} });
      // @ts-expect-error a copy of the context would lack the signal
      new LoadBalancer({ endpoints: [] }).run(async context => ({ ...context }).signal);
      // @ts-expect-error a limit is a number or a limiter
      new LoadBalancer<Endpoint>({ endpoints: [], concurrency: ({ id }) => id });
      // @ts-expect-error how it went must be said
      new LoadBalancer({ endpoints: [{ id: 'a' }] }).pick().done({});
      // @ts-expect-error of an endpoint that may have no url nobody can say that it is a string
      new LoadBalancer<Endpoint>({ endpoints: [] }).run(({ endpoint }) => fetch(endpoint.url));
    };
    expect(wrong).toBeTypeOf('function');
  });
});
