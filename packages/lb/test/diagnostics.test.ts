import { describe, expect, it } from 'vitest';
import { type Endpoint, LoadBalancer, roundRobin } from '../src/index.ts';
import { Feed } from './support/discovery/feed.ts';
import { heard } from './support/heard.ts';

describe('diagnostics', () => {
  it('tells of picks and outcomes', () => {
    const [picks, outcomes] = [heard('pick'), heard('outcome')];
    const endpoints = [{ id: 'a' }, { id: 'b' }];
    const lb = new LoadBalancer({ name: 'catalog', endpoints, policy: roundRobin() });
    lb.pick().done({ ok: false, error: 'no', latencyMs: 5 });
    lb.pick().done();
    const [a, b] = ['a', 'b'].map(endpoint => ({ balancer: 'catalog', endpoint }));
    expect(picks.stop()).toEqual([a, b]);
    expect(outcomes.stop()).toEqual([
      { ...a, outcome: { ok: false, error: 'no', latencyMs: 5 } },
      { ...b, outcome: undefined },
    ]);
  });

  it('tells what changed in the set, and of nothing when nothing did', async () => {
    const sets = heard('endpoints');
    const feed = new Feed<Endpoint>();
    const lb = new LoadBalancer({ endpoints: feed });
    const own = { id: 'a', tags: 1 };
    await feed.give([own, { id: 'b' }]);
    await feed.give([{ id: 'b' }, { ...own }]);
    await feed.give([{ id: 'b', weight: 2 }, { id: 'a', tags: 2 } as Endpoint, { id: 'c' }]);
    await feed.give([{ id: 'c' }]);
    const balancer = 'lb';
    expect(sets.stop()).toEqual([
      { balancer, joined: ['a', 'b'], left: [], changed: [] },
      { balancer, joined: ['c'], left: [], changed: ['b', 'a'] },
      { balancer, joined: [], left: ['b', 'a'], changed: [] },
    ]);
    await lb.close();
  });
});
