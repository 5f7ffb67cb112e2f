import { InvalidOptionError, seededRandom } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  type HealthCheck,
  HealthCheckError,
  type HealthOptions,
  LoadBalancer,
  type LoadBalancerOptions,
  type PolicyFactory,
  roundRobin,
} from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';
import { heard } from '../support/heard.ts';
import { Noting } from '../support/policies/noting.ts';
import { fail, ids, pickOf, shares, stateOf } from '../support/policies/picking.ts';

const intervalMs = 1_000;

/** A balancer whose endpoints are ill when they are in `ill`; checks are counted, by endpoint and at a time. */
function clinic(
  endpoints: LoadBalancerOptions<Endpoint>['endpoints'],
  health: Partial<HealthOptions> = {},
  options: Partial<LoadBalancerOptions<Endpoint>> = {},
) {
  const clock = new ManualClock();
  const ill = new Set<string>();
  const checked: Record<string, number> = {};
  const check: HealthCheck = async ({ endpoint: { id } }) => {
    checked[id] = (checked[id] ?? 0) + 1;
    if (ill.has(id)) throw new Error(`${id} is ill`);
  };
  const lb = new LoadBalancer<Endpoint>({
    endpoints,
    policy: roundRobin(),
    clock,
    health: { check, intervalMs, jitterPercent: 0, ...health },
    ...options,
  });
  const rounds = (count: number) => clock.advance(count * intervalMs);
  return { lb, clock, ill, checked, rounds };
}

describe('active checks', () => {
  it('take an endpoint out after so many failures in a row, and let it back after so many successes', async () => {
    const { lb, ill, rounds } = clinic(ids(3), { healthyAfter: 3, unhealthyAfter: 2 });
    const messages = heard('health');
    await rounds(0);
    ill.add('a');
    await rounds(1);
    ill.delete('a');
    await rounds(1);
    ill.add('a');
    await rounds(1);
    expect(stateOf(lb, 'a')).toBe('up');
    await rounds(1);
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    expect(lb.snapshot().endpoints[0]).toMatchObject({ checkError: 'Error: a is ill' });
    expect(shares(lb, 20)).toEqual({ b: 10, c: 10 });
    ill.delete('a');
    await rounds(2);
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    await rounds(1);
    expect(stateOf(lb, 'a')).toBe('up');
    expect(lb.snapshot().endpoints[0]).not.toHaveProperty('checkError');
    expect(shares(lb, 30)).toEqual({ a: 10, b: 10, c: 10 });
    await lb.close();
    const about = { balancer: 'lb', endpoint: 'a' };
    expect(messages.stop()).toEqual([
      { ...about, healthy: false, error: new Error('a is ill') },
      { ...about, healthy: true },
    ]);
  });

  it('are made at once, then again after each interval, and end with the balancer', async () => {
    const { lb, clock, checked, rounds } = clinic(ids(2));
    expect(checked).toEqual({});
    await rounds(0);
    expect(checked).toEqual({ a: 1, b: 1 });
    await clock.advance(intervalMs - 1);
    expect(checked).toEqual({ a: 1, b: 1 });
    await clock.advance(1);
    expect(checked).toEqual({ a: 2, b: 2 });
    await lb.close();
    await rounds(5);
    expect(checked).toEqual({ a: 2, b: 2 });
    expect(clock.sleeping).toBe(0);
  });

  it('begin with an endpoint that joins, and end with one that leaves, also during its check', async () => {
    const feed = new Feed<Endpoint>();
    const signals: Record<string, AbortSignal> = {};
    const check: HealthCheck = ({ endpoint: { id }, signal }) => {
      signals[id] = signal;
      return id === 'slow' ? new Promise(() => {}) : Promise.resolve();
    };
    const { lb, clock, rounds } = clinic(feed, { check });
    await feed.give([{ id: 'a' }, { id: 'slow' }]);
    await rounds(0);
    expect(signals['slow']?.aborted).toBe(false);
    await feed.give([{ id: 'a' }, { id: 'b' }]);
    expect(signals['slow']?.aborted).toBe(true);
    await rounds(0);
    expect(Object.keys(signals)).toEqual(['a', 'slow', 'b']);
    expect(clock.sleeping).toBe(2);
    await lb.close();
    await rounds(0);
    expect(clock.sleeping).toBe(0);
  });

  it('ask an endpoint as it is now', async () => {
    const feed = new Feed<Endpoint>();
    const urls: (string | undefined)[] = [];
    const check: HealthCheck = async ({ endpoint }) => void urls.push(endpoint.url);
    const { lb, rounds } = clinic(feed, { check });
    await feed.give([{ id: 'a', url: 'http://one' }]);
    await rounds(0);
    await feed.give([{ id: 'a', url: 'http://two' }]);
    await rounds(1);
    expect(urls).toEqual(['http://one', 'http://two']);
    await lb.close();
  });

  it('end at their time, also those that heed no signal, and never two of an endpoint go on at a time', async () => {
    let running = 0;
    const seen: boolean[] = [];
    const check: HealthCheck = ({ signal }) => {
      expect(running).toBe(0);
      running++;
      signal.addEventListener('abort', () => {
        running--;
        seen.push(signal.aborted);
      });
      return new Promise(() => {});
    };
    const { lb, clock } = clinic(ids(1), { check, timeoutMs: 300, unhealthyAfter: 1 }, { panicPercent: 0 });
    await clock.advance(299);
    expect([seen.length, stateOf(lb, 'a')]).toEqual([0, 'up']);
    await clock.advance(1);
    expect([seen.length, stateOf(lb, 'a')]).toEqual([1, 'unhealthy']);
    expect(lb.snapshot().endpoints[0]?.checkError).toContain('the check took longer than 300 ms');
    await clock.advance(intervalMs - 1);
    expect([seen.length, running]).toEqual([1, 0]);
    await clock.advance(1);
    expect([seen.length, running]).toEqual([1, 1]);
    await lb.close();
    expect(running).toBe(0);
    expect(clock.sleeping).toBe(0);
  });

  it.each<[string, () => unknown, string]>([
    ['gives false', async () => false, 'the check returned false'],
    [
      'gives what is no answer',
      async () => new Response('', { status: 500 }),
      'a check must return true, false or nothing, got a Response',
    ],
    [
      'throws at once',
      () => {
        throw new Error('at once');
      },
      'at once',
    ],
    ['rejects with nothing', () => Promise.reject(), 'the check failed without an error'],
  ])('fail when one %s', async (_, check, message) => {
    const { lb, rounds } = clinic(ids(2), { check: check as HealthCheck, unhealthyAfter: 1 });
    await rounds(0);
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    expect(lb.snapshot().endpoints[0]?.checkError).toContain(message);
    await lb.close();
  });

  it('succeed with true and with nothing', async () => {
    for (const value of [true, undefined]) {
      const { lb, rounds } = clinic(ids(1), { check: async () => value, serveUnchecked: false });
      await rounds(0);
      expect(stateOf(lb, 'a')).toBe('up');
      await lb.close();
    }
  });

  it('spread by their jitter', async () => {
    const { lb, clock } = clinic(ids(20), { jitterPercent: 50 }, { random: seededRandom(2) });
    const times: number[] = [];
    const check: HealthCheck = async () => void times.push(clock.now());
    await lb.close();
    const jittered = clinic(ids(20), { jitterPercent: 50, check }, { clock, random: seededRandom(2) });
    await clock.advance(1_500);
    await jittered.lb.close();
    const second = times.slice(20, 40);
    expect(times.slice(0, 20).every(time => time === 0)).toBe(true);
    expect(Math.min(...second)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...second)).toBeLessThanOrEqual(1_500);
    expect(new Set(second).size).toBe(20);
  });

  it('begin slowly with one that is healthy again', async () => {
    const { lb, ill, rounds } = clinic(ids(3), {}, { slowStartMs: 10_000 });
    ill.add('a');
    await rounds(3);
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    ill.delete('a');
    await rounds(2);
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'up', slowStartPercent: 10 });
    await lb.close();
  });

  it('go on while an endpoint is drained', async () => {
    const { lb, ill, rounds } = clinic(ids(3));
    await lb.drain('a');
    ill.add('a');
    await rounds(3);
    expect(stateOf(lb, 'a')).toBe('drained');
    lb.undrain('a');
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    await lb.close();
  });
});

describe('an endpoint before its first check', () => {
  it('takes requests, unless it is to wait; then the first check decides alone', async () => {
    const feed = new Feed<Endpoint>();
    const answers = new Map<string, (healthy: boolean) => void>();
    const check: HealthCheck = ({ endpoint: { id } }) =>
      new Promise(resolve => void answers.set(id, resolve));
    const { lb, rounds } = clinic(feed, { check, serveUnchecked: false });
    const answer = (id: string, healthy: boolean) => {
      answers.get(id)!(healthy);
      return rounds(0);
    };
    await feed.give(ids(2));
    await rounds(0);
    await answer('a', true);
    await answer('b', true);
    expect(lb.snapshot().panicking).toBe(false);
    await feed.give(ids(6));
    expect(lb.snapshot().panicking).toBe(false);
    expect(ids(6).map(({ id }) => stateOf(lb, id))).toEqual([
      ...['up', 'up', 'unchecked', 'unchecked', 'unchecked', 'unchecked'],
    ]);
    expect(shares(lb, 20)).toEqual({ a: 10, b: 10 });
    await answer('c', true);
    await answer('d', false);
    expect(['a', 'b', 'c', 'd', 'e'].map(id => stateOf(lb, id))).toEqual([
      ...['up', 'up', 'up', 'unhealthy', 'unchecked'],
    ]);
    await lb.close();
  });

  it('takes requests where there is no other endpoint, also without a panic threshold', async () => {
    const hanging: HealthCheck = () => new Promise(() => {});
    const panicking = clinic(ids(2), { check: hanging, serveUnchecked: false });
    expect(panicking.lb.snapshot().panicking).toBe(true);
    expect(shares(panicking.lb, 20)).toEqual({ a: 10, b: 10 });
    await panicking.lb.close();
    const failing: HealthCheck = ({ endpoint }) =>
      endpoint.id === 'a' ? Promise.resolve(false) : hanging({} as never);
    const calm = clinic(ids(2), { check: failing, serveUnchecked: false }, { panicPercent: 0 });
    expect(calm.lb.snapshot().panicking).toBe(false);
    expect(shares(calm.lb, 20)).toEqual({ a: 10, b: 10 });
    // One that is unhealthy is another endpoint
    await calm.clock.advance(0);
    expect(['a', 'b'].map(id => stateOf(calm.lb, id))).toEqual(['unhealthy', 'unchecked']);
    expect(() => calm.lb.pick()).toThrow(expect.objectContaining({ reason: 'unhealthy' }));
    await calm.lb.close();
  });
});

describe('checks and ejections', () => {
  it('a check that succeeds does not end an ejection', async () => {
    const { lb, rounds } = clinic(ids(3));
    fail(lb, 'a', 5);
    await rounds(29);
    expect(stateOf(lb, 'a')).toBe('ejected');
    await rounds(1);
    expect(pickOf(lb, 'a')).toBeDefined();
    await lb.close();
  });

  it('if it may, enough of them begun since do, and a probe has the last word', async () => {
    const { lb, clock, rounds } = clinic(ids(3), { endsEjection: true });
    await rounds(10);
    fail(lb, 'a', 5);
    await rounds(1);
    expect(stateOf(lb, 'a')).toBe('ejected');
    await rounds(1);
    expect(stateOf(lb, 'a')).toBe('probing');
    pickOf(lb, 'a')!.done({ ok: false });
    expect(stateOf(lb, 'a')).toBe('ejected');
    await rounds(1);
    expect(stateOf(lb, 'a')).toBe('ejected');
    await rounds(1);
    const probe = pickOf(lb, 'a')!;
    expect(pickOf(lb, 'a')).toBeUndefined();
    probe.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('up');
    await lb.close();
    expect(clock.sleeping).toBe(0);
  });

  it('a check that was under way when the endpoint was ejected does not count', async () => {
    let end = () => {};
    const check: HealthCheck = ({ endpoint: { id } }) =>
      id === 'a'
        ? new Promise(resolve => {
            end = resolve;
          })
        : Promise.resolve();
    const { lb, rounds } = clinic(ids(3), { check, endsEjection: true, healthyAfter: 1 });
    await rounds(0);
    fail(lb, 'a', 5);
    end();
    await rounds(0);
    expect(stateOf(lb, 'a')).toBe('ejected');
    await rounds(1);
    end();
    await rounds(0);
    expect(stateOf(lb, 'a')).toBe('probing');
    await lb.close();
  });

  it('an unhealthy endpoint is not probed, and its probe that was under way still counts', async () => {
    const { lb, clock, ill, rounds } = clinic(ids(4), {}, { outlier: { baseEjectionMs: 2_000 } });
    fail(lb, 'a', 5);
    await clock.advance(2_000);
    const probe = pickOf(lb, 'a')!;
    ill.add('a');
    await rounds(3);
    expect(stateOf(lb, 'a')).toBe('unhealthy');
    probe.done();
    expect(pickOf(lb, 'a')).toBeUndefined();
    ill.delete('a');
    await rounds(2);
    expect(stateOf(lb, 'a')).toBe('probing');
    pickOf(lb, 'a')!.done({ ok: true });
    expect(stateOf(lb, 'a')).toBe('up');
    await lb.close();
  });

  it('who is not healthy cannot be ejected, and the last healthy one is not', async () => {
    const { lb, ill, rounds } = clinic(ids(2), {}, { panicPercent: 100 });
    ill.add('a');
    await rounds(3);
    for (let i = 0; i < 40; i++) lb.pick().done({ ok: false });
    expect(['a', 'b'].map(id => stateOf(lb, id))).toEqual(['unhealthy', 'up']);
    ill.delete('a');
    await rounds(2);
    fail(lb, 'a', 4);
    expect(stateOf(lb, 'a')).toBe('up');
    await lb.close();
  });

  it('what an endpoint did before it was unhealthy is forgotten', async () => {
    const { lb, ill, rounds } = clinic(ids(3));
    fail(lb, 'a', 4);
    ill.add('a');
    await rounds(3);
    ill.delete('a');
    await rounds(2);
    fail(lb, 'a', 4);
    expect(stateOf(lb, 'a')).toBe('up');
    fail(lb, 'a', 1);
    expect(stateOf(lb, 'a')).toBe('ejected');
    await lb.close();
  });

  it('a policy that does not take what checks found out is told at the next pick, which throws its error', async () => {
    const policy = new Noting<Endpoint>();
    const refusing = { policy: (() => policy) as unknown as PolicyFactory };
    const { lb, ill, rounds } = clinic(ids(3), {}, refusing);
    await rounds(0);
    policy.refuses = true;
    ill.add('a');
    await rounds(3);
    expect(() => lb.pick()).toThrow('not now');
    policy.refuses = false;
    expect(shares(lb, 20)).toEqual({ b: 10, c: 10 });
    await lb.close();
  });

  it('brings back who was ejected when no other is healthy', async () => {
    const { lb, ill, rounds } = clinic(ids(2), {}, { panicPercent: 0 });
    fail(lb, 'a', 5);
    ill.add('b');
    await rounds(3);
    expect(['a', 'b'].map(id => stateOf(lb, id))).toEqual(['up', 'unhealthy']);
    expect(shares(lb, 10)).toEqual({ a: 10 });
    await lb.close();
  });
});

describe('the options of checks', () => {
  const check = async () => {};
  it.each<[unknown, string]>([
    [true, '`health` takes an object of options, got true (boolean)'],
    [null, '`health` takes an object of options, got null'],
    [{}, '`health.check` is required: a function'],
    [{ check, every: 5 }, '`health` has no option `every`'],
    [{ check, intervalMs: 0 }, '`health.intervalMs`'],
    [{ check, timeoutMs: Number.NaN }, '`health.timeoutMs`'],
    [{ check, healthyAfter: 0 }, '`health.healthyAfter`'],
    [{ check, unhealthyAfter: 1.5 }, '`health.unhealthyAfter`'],
    [{ check, jitterPercent: 101 }, '`health.jitterPercent`'],
    [{ check, serveUnchecked: 1 }, '`health.serveUnchecked` must be true or false, got 1 (number)'],
    [{ check, endsEjection: null }, '`health.endsEjection` must be true or false, got null'],
  ])('are refused: %o', (health, message) => {
    const make = () => new LoadBalancer({ endpoints: ids(1), health: health as HealthOptions });
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });

  it.each<[object, string]>([
    [{ outlier: true }, '`outlier` takes an object of options, got true (boolean)'],
    [
      { outlier: { successRate: true } },
      '`outlier.successRate` takes an object of options, got true (boolean)',
    ],
    [{ outlier: { successRate: { hosts: 5 } } }, '`outlier.successRate` has no option `hosts`'],
    [{ outlier: { successRate: { minEndpoints: 1 } } }, '`outlier.successRate.minEndpoints`'],
    [{ outlier: { successRate: { minRequests: 0 } } }, '`outlier.successRate.minRequests`'],
    [{ outlier: { successRate: { stdevFactor: -1 } } }, '`outlier.successRate.stdevFactor`'],
    [{ outlier: { successRate: { tolerancePercent: 101 } } }, '`outlier.successRate.tolerancePercent`'],
    [{ outlier: { failurePercent: 85 } }, 'outlier.failurePercent'],
    [{ outlier: { failurePercent: { threshold: 0 } } }, '`outlier.failurePercent.threshold`'],
    [{ outlier: { failurePercent: { minEndpoints: 0 } } }, '`outlier.failurePercent.minEndpoints`'],
    [{ outlier: { failurePercent: { minRequests: '5' } } }, '`outlier.failurePercent.minRequests`'],
    [{ outlier: { intervalMs: 0 } }, '`outlier.intervalMs`'],
    [{ panicPercent: 101 }, '`panicPercent`'],
    [{ panicPercent: '50' }, '`panicPercent`'],
  ])('and those of what goes with them: %o', (options, message) => {
    const make = () => new LoadBalancer({ endpoints: ids(1), ...options });
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });

  it('may be false', () => {
    const lb = new LoadBalancer({ endpoints: ids(1), health: false });
    expect(stateOf(lb, 'a')).toBe('up');
    expect(new HealthCheckError('x').code).toBe('ASHLAR_LB_HEALTH_CHECK');
  });
});
