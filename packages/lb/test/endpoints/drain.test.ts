import { InvalidOptionError } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import {
  ClosedError,
  DeadlineError,
  DrainTakenBackError,
  type Endpoint,
  LoadBalancer,
  NoEndpointError,
  roundRobin,
} from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';
import { heard } from '../support/heard.ts';
import { fail, ids, pickOf, shares, stateOf } from '../support/policies/picking.ts';

function balancer(count: number) {
  const clock = new ManualClock();
  return { clock, lb: new LoadBalancer({ endpoints: ids(count), policy: roundRobin(), clock }) };
}

/** Whether the promise has settled, after all that is ready has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  void promise.then(note, note);
  await new Promise(resolve => setImmediate(resolve));
  return settled;
}

describe('drain', () => {
  it('gives no new requests, and resolves when those in flight have ended', async () => {
    const { lb } = balancer(2);
    const [one, two] = [pickOf(lb, 'a')!, pickOf(lb, 'a')!];
    const drains = [lb.drain('a'), lb.drain('a')];
    expect(stateOf(lb, 'a')).toBe('drained');
    expect(shares(lb, 20)).toEqual({ b: 20 });
    one.done({ ok: true });
    expect(await settled(Promise.race(drains))).toBe(false);
    two.done();
    await Promise.all(drains);
    await lb.drain('a');
    lb.undrain('a');
    lb.undrain('a');
    expect(shares(lb, 20)).toEqual({ a: 10, b: 10 });
  });

  it('gives up waiting at its deadline, its signal or the close, and the endpoint stays drained', async () => {
    const { lb, clock } = balancer(2);
    const picked = pickOf(lb, 'a')!;
    const late = lb.drain('a', { timeoutMs: 1_000 });
    const controller = new AbortController();
    const given = lb.drain('a', { signal: controller.signal });
    const closed = lb.drain('a');
    for (const drain of [late, given, closed]) drain.catch(() => {});
    await clock.advance(1_000);
    await expect(late).rejects.toThrow(DeadlineError);
    await expect(late).rejects.toThrow('the drain took longer than 1000 ms');
    controller.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    expect(stateOf(lb, 'a')).toBe('drained');
    expect(clock.sleeping).toBe(0);
    await lb.close();
    await expect(closed).rejects.toThrow(ClosedError);
    picked.done();
    await expect(lb.drain('b')).rejects.toThrow(ClosedError);
  });

  it('tells who waits when it is taken back', async () => {
    const { lb } = balancer(2);
    const picked = pickOf(lb, 'a')!;
    const drain = lb.drain('a');
    lb.undrain('a');
    await expect(drain).rejects.toThrow(DrainTakenBackError);
    await expect(drain).rejects.toThrow('the drain of endpoint "a" was taken back');
    expect(pickOf(lb, 'a')).toBeDefined();
    picked.done();
  });

  it('may leave nobody', async () => {
    const { lb } = balancer(2);
    await Promise.all([lb.drain('a'), lb.drain('b')]);
    expect(() => lb.pick()).toThrow(NoEndpointError);
    expect(() => lb.pick()).toThrow(expect.objectContaining({ reason: 'empty' }));
  });

  it('brings back who was ejected when no other is left', async () => {
    const { lb } = balancer(2);
    fail(lb, 'a', 5);
    await lb.drain('b');
    expect(stateOf(lb, 'a')).toBe('up');
    expect(lb.pick().endpoint.id).toBe('a');
  });

  it('lasts through updates, and until the endpoint has left and is new again', async () => {
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed, policy: roundRobin() });
    await feed.give(ids(2));
    const picked = pickOf(lb, 'a')!;
    const drain = lb.drain('a');
    await feed.give([{ id: 'a', weight: 5 }, { id: 'b' }]);
    expect(stateOf(lb, 'a')).toBe('drained');
    await feed.give([{ id: 'b' }]);
    expect(await settled(drain)).toBe(false);
    picked.done();
    await drain;
    await feed.give(ids(2));
    expect(stateOf(lb, 'a')).toBe('up');
    await lb.close();
  });

  it('tells of it, and refuses what is not there', async () => {
    const drains = heard('drain');
    const { lb } = balancer(2);
    await lb.drain('a');
    await lb.drain('a');
    lb.undrain('a');
    const about = { balancer: 'lb', endpoint: 'a' };
    expect(drains.stop()).toEqual([
      { ...about, draining: true },
      { ...about, draining: false },
    ]);
    await expect(lb.drain('x')).rejects.toThrow(InvalidOptionError);
    await expect(lb.drain('x')).rejects.toThrow('lb has no endpoint "x"');
    expect(() => lb.undrain('x')).toThrow(InvalidOptionError);
    await expect(lb.drain('a', { timeoutMs: 0 })).rejects.toThrow('`timeoutMs`');
  });
});
