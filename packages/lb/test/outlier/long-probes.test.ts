import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { type Endpoint, LoadBalancer, type LoadBalancerOptions, roundRobin } from '../../src/index.ts';
import { fail, ids, pickOf, stateOf } from '../support/policies/picking.ts';

const base = 30_000;

/** `a` has been ejected, and its first probe is in flight. */
async function probing(options: Partial<LoadBalancerOptions<Endpoint>> = {}) {
  const clock = new ManualClock();
  const lb = new LoadBalancer<Endpoint>({ endpoints: ids(2), policy: roundRobin(), clock, ...options });
  fail(lb, 'a', 5);
  await clock.advance(base);
  const probe = pickOf(lb, 'a')!;
  return { lb, clock, probe };
}

/** As a stream, or a request whose end nobody reports. */
describe('a probe that lasts', () => {
  it('makes room for another one after as long as the first ejection, and so on', async () => {
    const { lb, clock } = await probing();
    for (let times = 0; times < 3; times++) {
      await clock.advance(base - 1);
      expect(pickOf(lb, 'a')).toBeUndefined();
      await clock.advance(1);
      expect(pickOf(lb, 'a')).toBeDefined();
      expect(pickOf(lb, 'a')).toBeUndefined();
    }
    pickOf(lb, 'b')!.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('probing');
  });

  it.each([true, false])('still decides: ok %s', async ok => {
    const { lb, clock, probe } = await probing();
    await clock.advance(base);
    pickOf(lb, 'a');
    probe.done({ ok });
    expect(stateOf(lb, 'a')).toBe(ok ? 'up' : 'ejected');
  });

  it('decides nothing when its failure would fall into a later ejection', async () => {
    const { lb, clock, probe } = await probing();
    await clock.advance(base);
    pickOf(lb, 'a')!.done({ ok: false });
    const { returnsInMs } = lb.snapshot().endpoints[0]!;
    await clock.advance(1);
    probe.done({ ok: true });
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'ejected', returnsInMs: returnsInMs! - 1 });
  });

  it('serves who waits for the endpoint', async () => {
    const { lb, clock } = await probing({ concurrency: 2, maxWaitMs: 10 * base });
    const held = [pickOf(lb, 'b')!, pickOf(lb, 'b')!];
    const waiting = lb.acquire();
    await clock.advance(base);
    expect((await waiting).endpoint.id).toBe('a');
    for (const each of held) each.done();
  });
});

describe('an endpoint that is being probed', () => {
  const onlyA = async ({ endpoint }: { endpoint: Endpoint }) => {
    if (endpoint.id !== 'a') throw new Error('broken');
    return 'a';
  };

  it('is the last resort of a retry, and a success there brings it back', async () => {
    const { lb, probe } = await probing();
    expect(await lb.run(onlyA, { idempotent: true })).toBe('a');
    expect(stateOf(lb, 'a')).toBe('up');
    probe.done({ ok: false });
    expect(stateOf(lb, 'a')).toBe('up');
  });

  it('is not ejected for a failure as the last resort', async () => {
    const { lb, probe } = await probing();
    lb.pick({ exclude: ['b'] }).done({ ok: false });
    expect(stateOf(lb, 'a')).toBe('probing');
    probe.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('up');
  });
});
