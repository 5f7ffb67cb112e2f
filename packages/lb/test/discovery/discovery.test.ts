import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ManualClock } from '@ashlar/core/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type Candidate,
  consistent,
  type DiscoveryFailedMessage,
  type Endpoint,
  LoadBalancer,
  NoEndpointError,
  type Policy,
  roundRobin,
} from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';
import { heard } from '../support/heard.ts';

const failures: DiscoveryFailedMessage[] = [];
const note = (message: unknown) => void failures.push(message as DiscoveryFailedMessage);
beforeAll(() => subscribe('ashlar:lb:discovery-failed', note));
afterEach(() => void failures.splice(0));
afterAll(() => void unsubscribe('ashlar:lb:discovery-failed', note));

function following(feed: AsyncIterable<readonly Endpoint[]>, clock = new ManualClock()) {
  return new LoadBalancer({ endpoints: feed, policy: roundRobin(), clock });
}

describe('discovery', () => {
  it('keeps the statistics of endpoints that stay, and what is in flight', async () => {
    const feed = new Feed<Endpoint>();
    const lb = following(feed);
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    const [a, b] = [lb.pick(), lb.pick()];
    await feed.give([{ id: 'b', weight: 3, zone: 'z', url: 'http://new' }, { id: 'c' }]);
    expect(lb.snapshot()).toMatchObject({
      discovery: 'live',
      inFlight: 2,
      endpoints: [
        { id: 'b', weight: 3, zone: 'z', inFlight: 1, picked: 1 },
        { id: 'c', weight: 1, inFlight: 0, picked: 0 },
      ],
    });
    expect(lb.endpoints[0]).toEqual({ id: 'b', weight: 3, zone: 'z', url: 'http://new' });
    a.done({ ok: true });
    b.done({ ok: true });
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ inFlight: 0, succeeded: 1 }, {}] });
    await lb.close();
  });

  it('changes nothing for a set that differs in its order alone', async () => {
    const { stop } = heard('endpoints');
    const feed = new Feed<Endpoint>();
    await using lb = new LoadBalancer({ endpoints: feed, policy: roundRobin() });
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    await feed.give([{ id: 'b' }, { id: 'a' }]);
    expect(lb.endpoints).toEqual([{ id: 'a' }, { id: 'b' }]);
    expect(lb.pick().endpoint.id).toBe('a');
    expect(stop()).toHaveLength(1);
  });

  it('begins anew with an endpoint that left and comes back', async () => {
    const feed = new Feed<Endpoint>();
    const lb = following(feed);
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    const early = lb.pick();
    await feed.give([{ id: 'b' }]);
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    expect(lb.snapshot()).toMatchObject({
      inFlight: 1,
      endpoints: [{ id: 'a', inFlight: 0, picked: 0 }, {}],
    });
    early.done({ ok: false });
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ inFlight: 0, failed: 0 }, {}] });
    await lb.close();
  });

  it('tells the policy nothing of endpoints that have left', async () => {
    const settled: string[] = [];
    class Listening<E extends Endpoint> implements Policy<E> {
      #first: Candidate<E> | undefined;
      update([first]: readonly Candidate<E>[]) {
        this.#first = first;
      }
      pick() {
        return this.#first;
      }
      settled({ endpoint }: Candidate<E>) {
        settled.push(endpoint.id);
      }
    }
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed, policy: () => new Listening() });
    await feed.give([{ id: 'a' }]);
    const [early, late] = [lb.pick(), lb.pick()];
    early.done({ ok: true });
    await feed.give([{ id: 'b' }]);
    late.done({ ok: true });
    expect(settled).toEqual(['a']);
    await lb.close();
  });

  it.each<[string, unknown]>([
    ['that is empty', []],
    ['with an endpoint twice', [{ id: 'x' }, { id: 'x' }]],
    ['with a bad weight', [{ id: 'x', weight: -1 }]],
    ['that is no list', 7],
    ['that is nothing', undefined],
  ])('keeps the last good set when there comes one %s', async (_, bad) => {
    const feed = new Feed<Endpoint>();
    const lb = following(feed);
    await feed.give([{ id: 'a' }]);
    await feed.give(bad as Endpoint[]);
    expect(lb.pick().endpoint.id).toBe('a');
    expect(failures).toMatchObject([
      { balancer: 'lb', reason: 'refused', error: { code: 'ASHLAR_LB_DISCOVERY' } },
    ]);
    expect(lb.snapshot()).toMatchObject({
      discovery: 'live',
      discoveryError: expect.stringContaining('delivered an unusable set'),
    });
    await feed.give([{ id: 'b' }]);
    expect(lb.snapshot().discoveryError).toBeUndefined();
    expect(lb.pick().endpoint.id).toBe('b');
    await lb.close();
  });

  it('keeps the last good set when the policy refuses one', async () => {
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed, policy: consistent() });
    await feed.give([{ id: 'a' }, { id: 'b', weight: 2 }]);
    await feed.give([{ id: 'b', weight: 5 }, { id: 'c' }, { id: '\ud800' }]);
    expect(failures).toMatchObject([{ reason: 'refused' }]);
    expect(lb.endpoints).toEqual([{ id: 'a' }, { id: 'b', weight: 2 }]);
    const given = new Set(Array.from({ length: 100 }, (_, i) => lb.pick({ key: `${i}` }).endpoint.id));
    expect(given).toEqual(new Set(['a', 'b']));
    await lb.close();
  });

  it('keeps the last good set when discovery throws or ends', async () => {
    for (const [state, end] of [
      ['failed', (feed: Feed<Endpoint>) => feed.fail(new Error('dns is down'))],
      ['ended', (feed: Feed<Endpoint>) => feed.end()],
    ] as const) {
      const feed = new Feed<Endpoint>();
      const lb = following(feed);
      await feed.give([{ id: 'a' }]);
      await end(feed);
      expect(lb.snapshot().discovery).toBe(state);
      await expect(lb.run(async ({ endpoint }) => endpoint.id)).resolves.toBe('a');
      await lb.close();
    }
    expect(failures).toMatchObject([{ reason: 'threw', error: { message: 'dns is down' } }]);
  });

  it('waits for the first set, for as long as it may', async () => {
    const clock = new ManualClock();
    const feed = new Feed<Endpoint>();
    const lb = following(feed, clock);
    expect(() => lb.pick()).toThrow(NoEndpointError);
    const acquired = lb.acquire();
    const ran = lb.run(async ({ endpoint }) => endpoint.id);
    await feed.give([]);
    await clock.advance(4_999);
    await feed.give([{ id: 'a' }]);
    expect((await acquired).endpoint.id).toBe('a');
    expect(await ran).toBe('a');
    expect(clock.sleeping).toBe(0);
    await lb.close();
  });

  it('gives up waiting when its own time, the deadline or the caller says so', async () => {
    const clock = new ManualClock();
    const lb = following(new Feed(), clock);
    const caller = new AbortController();
    const outcomes = Promise.allSettled([
      lb.acquire(),
      lb.run(async () => 1, { timeoutMs: 1_000 }),
      lb.acquire({ signal: caller.signal }),
    ]);
    await clock.advance(500);
    caller.abort('enough');
    await clock.advance(10_000);
    expect(await outcomes).toMatchObject([
      { reason: { code: 'ASHLAR_LB_NO_ENDPOINT', reason: 'undiscovered' } },
      { reason: { code: 'ASHLAR_LB_DEADLINE', outcome: 'NotExecuted', timeoutMs: 1_000 } },
      { reason: 'enough' },
    ]);
    expect(clock.sleeping).toBe(0);
    await lb.close();
  });

  it('does not wait for a discovery that is over without a set, and says why', async () => {
    const broken = new Feed<Endpoint>();
    const lb = following(broken);
    const waiting = Promise.allSettled([lb.acquire()]);
    await broken.fail(new Error('no such service'));
    expect(await waiting).toMatchObject([
      { reason: { reason: 'undiscovered', cause: { message: 'no such service' } } },
    ]);
    await expect(lb.acquire()).rejects.toThrow(NoEndpointError);
    const empty = following(
      (async function* () {
        yield [];
      })(),
    );
    await expect(empty.acquire()).rejects.toMatchObject({ cause: { code: 'ASHLAR_LB_DISCOVERY' } });
    expect(failures.map(({ reason }) => reason)).toEqual(['threw', 'refused', 'ended']);
  });

  it('survives an iterable that cannot even be iterated', async () => {
    const impossible = {
      [Symbol.asyncIterator]() {
        throw new Error('not today');
      },
    };
    const lb = following(impossible as AsyncIterable<Endpoint[]>);
    await expect(lb.acquire()).rejects.toMatchObject({ cause: { message: 'not today' } });
    await lb.close();
  });

  it('closes the iterator once, without waiting for it, and what it yields later is dropped', async () => {
    const feed = new Feed<Endpoint>();
    const lb = following(feed);
    await feed.give([{ id: 'a' }]);
    const waiting = following(new Feed());
    const acquired = expect(waiting.acquire()).rejects.toMatchObject({
      code: 'ASHLAR_LB_CLOSED',
      outcome: 'NotExecuted',
    });
    await lb.close();
    await lb.close();
    expect(feed.returned).toBe(1);
    await feed.give([{ id: 'b' }]);
    expect(lb.endpoints).toEqual([{ id: 'a' }]);
    expect(lb.snapshot().discovery).toBe('closed');
    await waiting.close();
    await acquired;
  });

  it('closes although the iterator hangs, or fails to return', async () => {
    async function* hanging(): AsyncGenerator<Endpoint[]> {
      await new Promise(() => {});
    }
    await following(hanging()).close();
    for (const bad of [
      () => Promise.reject(new Error('no')),
      () => {
        throw new Error('no');
      },
    ]) {
      const iterator = { next: () => new Promise<never>(() => {}), return: bad };
      await following({ [Symbol.asyncIterator]: () => iterator } as never).close();
    }
  });

  it('tells watchers of each new set, and of the one there is', async () => {
    const feed = new Feed<Endpoint>();
    const lb = following(feed);
    const heard: string[][] = [];
    const stop = lb.watch(endpoints => void heard.push(endpoints.map(({ id }) => id)));
    await feed.give([{ id: 'a' }]);
    await feed.give([]);
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    stop();
    await feed.give([{ id: 'c' }]);
    expect(heard).toEqual([[], ['a'], ['a', 'b']]);
    await lb.close();
  });

  it('does not hold against a set what somebody throws who is told of it', async () => {
    const thrown: (() => void)[] = [];
    const later = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation(task => void thrown.push(task));
    onTestFinished(() => later.mockRestore());
    const feed = new Feed<Endpoint>();
    const lb = following(feed);
    const heard: number[] = [];
    lb.watch(({ length }) => {
      if (length > 0) throw new Error('of the listener');
    });
    lb.watch(({ length }) => void heard.push(length));
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    expect([heard, failures, lb.snapshot().discoveryError]).toEqual([[0, 2], [], undefined]);
    expect(thrown).toHaveLength(1);
    expect(thrown[0]).toThrow('of the listener');
    await lb.close();
  });
});
