import { describe, expect, it } from 'vitest';
import {
  consistent,
  leastRequests,
  type PolicyFactory,
  peakEwma,
  random,
  roundRobin,
  weightedRoundRobin,
} from '../src/index.ts';
import { failing, logNormal, poisson, Simulation, serving } from '../src/simulator.ts';

const policies: Record<string, PolicyFactory> = {
  roundRobin: roundRobin(),
  weightedRoundRobin: weightedRoundRobin(),
  random: random(),
  leastRequests: leastRequests(),
  peakEwma: peakEwma(),
  consistent: consistent(),
};

/** One of eight fails everything within a millisecond, from some time on; failures that come to the callers. */
async function episode(policy: PolicyFactory, perSecond: number, forMs: number, retry: boolean) {
  const replicas = Array.from({ length: 8 }, (_, index) => ({
    id: `${index}`,
    behavior: serving(logNormal(10, 0.3)),
  }));
  const simulation = new Simulation({
    replicas,
    arrivals: poisson(perSecond),
    policy,
    balancer: retry ? {} : { retry: false },
    request: () => ({ idempotent: retry }),
  });
  await simulation.advance(20_000 / Math.sqrt(perSecond));
  simulation.restart();
  simulation.replica('3').behavior = failing({ afterMs: 1 });
  await simulation.advance(forMs);
  return simulation.finish();
}

describe('an endpoint of eight that fails fast', () => {
  it.each(
    Object.keys(policies).flatMap(name => [
      [name, 20, 600_000] as const,
      [name, 200, 10_000] as const,
      [name, 2_000, 2_000] as const,
      [name, 10_000, 500] as const,
    ]),
  )(
    'costs callers at most ten failures without retries: %s, %i a second for %i ms',
    async (name, perSecond, ms) => {
      const { failed, requests } = await episode(policies[name]!, perSecond, ms, false);
      expect(requests).toBeGreaterThan(1_000);
      expect(failed).toBeGreaterThan(0);
      expect(failed).toBeLessThanOrEqual(10);
    },
  );

  it.each(Object.keys(policies))('costs them none with retries: %s', async name => {
    const { failed, replicas } = await episode(policies[name]!, 2_000, 2_000, true);
    expect(failed).toBe(0);
    expect(replicas['3']!.attempts).toBeGreaterThan(0);
  });
});
