import { ManualClock } from '@ashlar/core/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoadBalancer } from '../../src/index.ts';
import { RetryBudget } from '../../src/requests/retry.ts';

describe('RetryBudget', () => {
  it('allows exactly what the requests and retries of the last ten seconds leave', () => {
    const steps = fc.array(
      fc.record({
        afterMs: fc.oneof({ weight: 8, arbitrary: fc.nat(700) }, { weight: 1, arbitrary: fc.nat(30_000) }),
        requests: fc.nat(12),
        retries: fc.nat(8),
      }),
      { maxLength: 80 },
    );
    const settings = fc.record({ percent: fc.nat(100), perSecond: fc.constantFrom(0, 0.1, 0.5, 1, 3) });
    fc.assert(
      fc.property(settings, steps, fc.nat(1e9), ({ percent, perSecond }, all, startMs) => {
        const budget = new RetryBudget(percent, perSecond);
        const spent: { second: number; requests: number; retries: number }[] = [];
        let now = startMs;
        for (const { afterMs, requests, retries } of all) {
          now += afterMs;
          const second = Math.floor(now / 1000);
          const recent = { second, requests: 0, retries: 0 };
          spent.push(recent);
          const sum = (what: 'requests' | 'retries') =>
            spent.filter(each => each.second > second - 10).reduce((total, each) => total + each[what], 0);
          for (let i = 0; i < requests; i++, recent.requests++) budget.request(now);
          for (let i = 0; i < retries; i++) {
            const allowed = (sum('requests') * percent) / 100 + perSecond * 10;
            const fits = sum('retries') + 1 <= allowed;
            expect(budget.allows(now)).toBe(fits);
            if (!fits) break;
            budget.spend(now);
            recent.retries++;
          }
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('keeps a failing service from being asked many times over', async () => {
    const clock = new ManualClock();
    const endpoints = Array.from({ length: 20 }, (_, index) => ({ id: `${index}` }));
    const retry = { attempts: 5, budgetPercent: 10, budgetPerSecond: 1 };
    const lb = new LoadBalancer({ endpoints, clock, retry, outlier: false });
    let asked = 0;
    const failing = async () => {
      asked++;
      throw new Error('down');
    };
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 100; i++) await lb.run(failing, { idempotent: true }).catch(() => {});
      await clock.advance(1_000);
    }
    expect(asked - 500).toBe(lb.snapshot().retries);
    expect(lb.snapshot().retries).toBe(500 * 0.1 + 10);
    expect(lb.snapshot().retriesRefused).toBeGreaterThan(400);
  });
});
