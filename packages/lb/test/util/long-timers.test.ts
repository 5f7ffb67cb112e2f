import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LoadBalancer } from '../../src/index.ts';
import { stateOf } from '../support/policies/picking.ts';

/** A timer of Node with more than 2^31 - 1 ms ends after one. */
const days = 30 * 86_400_000;

it.each([{ timeoutMs: days }, {}])('waits for longer than a timer of Node can: %o', async options => {
  await using lb = new LoadBalancer({
    endpoints: [{ id: 'a' }],
    concurrency: 1,
    maxWaitMs: days,
    retry: { attemptTimeoutMs: days },
    hedge: { delayMs: days },
    health: { check: () => setTimeout(40), intervalMs: days, timeoutMs: days, serveUnchecked: false },
  });
  const run = () => lb.run(() => setTimeout(20, 'done'), { ...options, idempotent: true });
  // The second waits for the first
  expect(await Promise.all([run(), run()])).toEqual(['done', 'done']);
  expect(lb.snapshot()).toMatchObject({ hedges: 0, endpoints: [{ failed: 0, succeeded: 2 }] });
  await setTimeout(20);
  expect(['up', 'unchecked']).toContain(stateOf(lb, 'a'));
});
