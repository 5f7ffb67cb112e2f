import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { type Endpoint, LoadBalancer, type OutlierOptions, roundRobin } from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';
import { heard } from '../support/heard.ts';
import { fail, ids, pickOf } from '../support/policies/picking.ts';

const base = 30_000;

function balancer(count: number, outlier: OutlierOptions | false = {}, clock = new ManualClock()) {
  const lb = new LoadBalancer({ endpoints: ids(count), policy: roundRobin(), outlier, clock });
  const state = (id: string) => lb.snapshot().endpoints.find(endpoint => endpoint.id === id)!.state;
  return { lb, clock, state };
}

describe('outlier ejection', () => {
  it('ejects after five failures in a row, not of four, and a success in between starts over', () => {
    const { lb, state } = balancer(3);
    fail(lb, 'a', 4);
    pickOf(lb, 'a')!.done({ ok: true });
    fail(lb, 'a', 4);
    pickOf(lb, 'a')!.done();
    expect(state('a')).toBe('up');
    fail(lb, 'a', 1);
    expect(state('a')).toBe('ejected');
    expect(pickOf(lb, 'a')).toBeUndefined();
    expect(lb.snapshot().endpoints[0]).toMatchObject({ ejections: 1, returnsInMs: base });
  });

  it('lets one request at a time through when the time is over; a success brings it back', async () => {
    const { lb, clock, state } = balancer(3);
    fail(lb, 'a', 5);
    await clock.advance(base - 1);
    expect(pickOf(lb, 'a')).toBeUndefined();
    await clock.advance(1);
    const probe = pickOf(lb, 'a')!;
    expect(state('a')).toBe('probing');
    expect(pickOf(lb, 'a')).toBeUndefined();
    probe.done();
    const second = pickOf(lb, 'a')!;
    expect(pickOf(lb, 'a')).toBeUndefined();
    second.done({ ok: true });
    expect(state('a')).toBe('up');
    const [one, two] = [pickOf(lb, 'a'), pickOf(lb, 'a')];
    expect(one && two).toBeDefined();
    fail(lb, 'a', 4);
    expect(state('a')).toBe('up');
  });

  it('ejects for twice as long each time that the probe fails, up to the limit', async () => {
    const { lb, clock, state } = balancer(3);
    fail(lb, 'a', 5);
    for (const [times, forMs] of [
      [2, 2 * base],
      [3, 4 * base],
      [4, 8 * base],
      [5, 10 * base],
      [6, 10 * base],
    ]) {
      await clock.advance(lb.snapshot().endpoints[0]!.returnsInMs!);
      pickOf(lb, 'a')!.done({ ok: false });
      expect(state('a')).toBe('ejected');
      expect(lb.snapshot().endpoints[0]).toMatchObject({ ejections: times, returnsInMs: forMs });
    }
  });

  it('forgives an ejection for each span that the endpoint was up', async () => {
    const { lb, clock } = balancer(3);
    const eject = async () => {
      fail(lb, 'a', 5);
      const { returnsInMs } = lb.snapshot().endpoints[0]!;
      await clock.advance(returnsInMs!);
      pickOf(lb, 'a')!.done({ ok: true });
      return returnsInMs;
    };
    expect(await eject()).toBe(base);
    expect(await eject()).toBe(2 * base);
    expect(await eject()).toBe(3 * base);
    await clock.advance(2 * base);
    expect(await eject()).toBe(2 * base);
    await clock.advance(100 * base);
    expect(await eject()).toBe(base);
  });

  it('stays away for as long as the endpoint asked, also beyond the limit', () => {
    for (const [retryAfterMs, returnsInMs] of [
      [45_000, 45_000],
      [1_000, base],
      [9e9, 9e9],
    ] as const) {
      const { lb } = balancer(2);
      fail(lb, 'a', 4);
      pickOf(lb, 'a')!.done({ ok: false, retryAfterMs });
      expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'ejected', returnsInMs });
    }
  });

  it('ejects after a failed probe for twice as long as before, also when the endpoint had asked for that', async () => {
    const { lb, clock } = balancer(2);
    fail(lb, 'a', 4);
    pickOf(lb, 'a')!.done({ ok: false, retryAfterMs: 120_000 });
    await clock.advance(120_000);
    pickOf(lb, 'a')!.done({ ok: false });
    expect(lb.snapshot().endpoints[0]).toMatchObject({ ejections: 2, returnsInMs: 240_000 });
    await clock.advance(240_000);
    pickOf(lb, 'a')!.done({ ok: false, retryAfterMs: 400_000 });
    await clock.advance(400_000);
    pickOf(lb, 'a')!.done({ ok: false });
    expect(lb.snapshot().endpoints[0]).toMatchObject({ returnsInMs: 300_000 });
  });

  it('sees through answers to requests from before the failures', () => {
    const { lb, state } = balancer(2);
    const before = Array.from({ length: 6 }, () => pickOf(lb, 'a')!);
    for (let i = 0; i < 4; i++) {
      fail(lb, 'a', 1);
      before[i]!.done({ ok: true });
    }
    expect(state('a')).toBe('up');
    fail(lb, 'a', 1);
    expect(state('a')).toBe('ejected');
  });

  it('does not take a few quick failures among many slow requests for the end', () => {
    const { lb, state } = balancer(2);
    const slow = Array.from({ length: 3 }, () => pickOf(lb, 'a')!);
    for (let i = 0; i < 20; i++) {
      slow.push(pickOf(lb, 'a')!, pickOf(lb, 'a')!, pickOf(lb, 'a')!);
      fail(lb, 'a', 1);
      slow.shift()!.done({ ok: true });
    }
    expect(state('a')).toBe('up');
  });

  it.each([
    [1, undefined, 0],
    [2, undefined, 1],
    [3, undefined, 1],
    [4, undefined, 2],
    [10, undefined, 5],
    [10, 10, 1],
    [10, 1, 1],
    [2, 100, 1],
    [10, 100, 9],
  ])('of %i endpoints with a limit of %s percent at most %i are away', (count, maxEjectionPercent, away) => {
    const { lb } = balancer(count, maxEjectionPercent === undefined ? {} : { maxEjectionPercent });
    for (let i = 0; i < count * 20; i++) lb.pick().done({ ok: false });
    expect(lb.snapshot().endpoints.filter(({ state }) => state === 'ejected')).toHaveLength(away);
    expect(lb.pick()).toBeDefined();
  });

  it('ejects one that goes on failing as soon as another is back', async () => {
    const { lb, clock, state } = balancer(2);
    fail(lb, 'a', 5);
    fail(lb, 'b', 50);
    expect(state('b')).toBe('up');
    await clock.advance(base);
    pickOf(lb, 'a')!.done({ ok: true });
    fail(lb, 'b', 1);
    expect([state('a'), state('b')]).toEqual(['up', 'ejected']);
  });

  it('does not judge an endpoint that is away by answers to questions from before', async () => {
    const { lb, clock, state } = balancer(2);
    const early = [pickOf(lb, 'a')!, pickOf(lb, 'a')!, pickOf(lb, 'a')!];
    fail(lb, 'a', 5);
    early[0]!.done({ ok: true });
    expect(state('a')).toBe('ejected');
    await clock.advance(base);
    const probe = pickOf(lb, 'a')!;
    early[1]!.done({ ok: true });
    expect(state('a')).toBe('probing');
    early[2]!.done({ ok: false });
    expect(state('a')).toBe('probing');
    probe.done({ ok: true });
    expect(state('a')).toBe('up');
  });

  it('brings endpoints back when too few others are left', async () => {
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed, policy: roundRobin(), clock: new ManualClock() });
    await feed.give([{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }]);
    fail(lb, 'a', 5);
    fail(lb, 'b', 5);
    const returned = heard('return');
    await feed.give([{ id: 'a' }, { id: 'b' }, { id: 'c', weight: 0 }]);
    expect(returned.stop()).toEqual([{ balancer: 'lb', endpoint: 'a', reason: 'limit' }]);
    expect(lb.pick().endpoint.id).toBe('a');
    await feed.give([{ id: 'b' }]);
    expect(lb.pick().endpoint.id).toBe('b');
    await lb.close();
  });

  it('can be turned off', () => {
    const { lb, state } = balancer(2, false);
    fail(lb, 'a', 50);
    expect(state('a')).toBe('up');
  });

  it('tells what it does', async () => {
    const [ejected, returned] = [heard('eject'), heard('return')];
    const { lb, clock } = balancer(2);
    fail(lb, 'b', 5);
    await clock.advance(base);
    pickOf(lb, 'b')!.done({ ok: false });
    await clock.advance(2 * base);
    pickOf(lb, 'b')!.done({ ok: true });
    const about = { balancer: 'lb', endpoint: 'b' };
    expect(ejected.stop()).toEqual([
      { ...about, reason: '5 failures in a row', forMs: base, times: 1 },
      { ...about, reason: 'the probe failed', forMs: 2 * base, times: 2 },
    ]);
    expect(returned.stop()).toEqual([{ ...about, reason: 'probe' }]);
  });

  it('one that is back while its probe is under way takes requests, whatever the probe comes to', async () => {
    const feed = new Feed<Endpoint>();
    const clock = new ManualClock();
    const lb = new LoadBalancer({ endpoints: feed, policy: roundRobin(), clock });
    await feed.give(ids(4));
    fail(lb, 'a', 5);
    fail(lb, 'b', 5);
    await clock.advance(base);
    const probes = [pickOf(lb, 'a')!, pickOf(lb, 'b')!];
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    expect(
      lb
        .snapshot()
        .endpoints.map(({ state }) => state)
        .sort(),
    ).toEqual(['probing', 'up']);
    expect([pickOf(lb, 'a'), pickOf(lb, 'b')].filter(picked => picked !== undefined)).toHaveLength(1);
    for (const probe of probes) probe.done({ ok: true });
    expect(lb.snapshot().endpoints.map(({ state }) => state)).toEqual(['up', 'up']);
    await lb.close();
  });
});
