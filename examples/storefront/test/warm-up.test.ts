import { HashRing } from '@ashlar/hash-ring';
import { describe, expect, it } from 'vitest';
import { routed } from '../src/fleet/warm-up.ts';
import { policyNames } from '../src/policies.ts';
import { loadWorkload } from '../src/workload/load-workload.ts';

const endpoints = [1, 2, 3, 4].map(number => ({ id: `replica-${number}`, url: 'http://127.0.0.1' }));
const keys = Array.from({ length: 8_000 }, (_, key) => `${key}`);

describe('routed', () => {
  it.each(policyNames)(
    'gives each request to one replica, and each replica its share, in order: %s',
    policy => {
      const requests = routed(keys, { policy, endpoints, seed: 1 });
      expect([...requests.keys()]).toEqual(endpoints.map(({ id }) => id));
      const all = [...requests.values()];
      for (const own of all) {
        expect(own.length / keys.length).toBeCloseTo(1 / 4, 1);
        expect(own).toEqual(own.toSorted((a, b) => Number(a) - Number(b)));
      }
      expect(new Set(all.flat())).toEqual(new Set(keys));
      expect(all.flat()).toHaveLength(keys.length);
      expect(routed(keys, { policy, endpoints, seed: 1 })).toEqual(requests);
    },
  );

  it('is another for another seed where a policy draws', () => {
    const [one, two] = [1, 2].map(seed => routed(keys, { policy: 'peak-ewma', endpoints, seed }));
    expect(one).not.toEqual(two);
  });

  it('gives a sticky product to the replica that the ring names', () => {
    const ring = new HashRing(endpoints.map(({ id }) => id));
    for (const [replica, own] of routed(keys, { policy: 'consistent', endpoints, seed: 1 })) {
      expect(own).toEqual(keys.filter(key => ring.get(key) === replica));
    }
  });
});

describe('loadWorkload', () => {
  it('replays what follows the warm-up, and without one the beginning', async () => {
    const day = { source: { season: 'july' }, seed: 1 } as const;
    const { keys: whole } = await loadWorkload({ ...day, requests: 50, warmUp: 0 });
    const { keys: replayed, warmUp } = await loadWorkload({ ...day, requests: 20, warmUp: 30 });
    expect([...warmUp, ...replayed]).toEqual(whole);
    expect(replayed).toHaveLength(20);
  });
});
