import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  type AttemptContext,
  type Endpoint,
  LoadBalancer,
  type LoadBalancerOptions,
  roundRobin,
} from '../../src/index.ts';

const endpoints = ['a', 'b', 'c'].map(id => ({ id }));
const storage = new AsyncLocalStorage<string>();

/** What attempts of three requests at a time find in the storage, each with a caller of its own. */
async function found(
  options: Partial<LoadBalancerOptions<Endpoint>>,
  attempt: (context: AttemptContext<Endpoint>) => Promise<unknown>,
): Promise<string[]> {
  await using lb = new LoadBalancer<Endpoint>({ endpoints, policy: roundRobin(), ...options });
  const seen: string[] = [];
  const requests = ['x', 'y', 'z'].map(caller =>
    storage.run(caller, () =>
      lb.run(
        context => {
          seen.push(`${caller} ${storage.getStore()}`);
          return attempt(context);
        },
        {
          idempotent: true,
          classify: result => {
            seen.push(`${caller} ${storage.getStore()}`);
            return { ok: 'value' in result };
          },
        },
      ),
    ),
  );
  await Promise.all(requests);
  return seen;
}

describe('an attempt finds the storage of its own caller', () => {
  const slowAtFirst = ({ attempt, signal }: AttemptContext<Endpoint>) =>
    attempt === 1 ? setTimeout(60_000, undefined, { signal }) : Promise.resolve('quick');
  const failingAtFirst = async ({ attempt }: AttemptContext<Endpoint>) => {
    if (attempt === 1) throw new Error('first');
  };

  it.each<
    [string, Partial<LoadBalancerOptions<Endpoint>>, (context: AttemptContext<Endpoint>) => Promise<unknown>]
  >([
    ['a hedge', { hedge: { delayMs: 10, budgetPercent: 100 } }, slowAtFirst],
    ['a retry', {}, failingAtFirst],
    ['a retry after a timeout', { retry: { attemptTimeoutMs: 10 } }, slowAtFirst],
    ['one that waited', { concurrency: 1, endpoints: [{ id: 'a' }] }, () => setTimeout(5)],
  ])('as %s', async (_, options, attempt) => {
    const seen = await found(options, attempt);
    expect(seen.length).toBeGreaterThanOrEqual(6);
    for (const each of seen) expect(['x x', 'y y', 'z z']).toContain(each);
  });
});
