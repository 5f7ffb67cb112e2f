import { beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, Shop } from '../src/clusters/cluster.ts';
import { startMemory } from '../src/clusters/memory.ts';
import { Harm } from '../src/traffic/harm.ts';

describe('what is done to servers', () => {
  let events: string[];
  beforeEach(() => {
    events = [];
  });

  async function withHarm(work: (harm: Harm, cluster: Cluster, shop: Shop) => Promise<void>, change = {}) {
    await using cluster = await startMemory();
    await using shop = await cluster.connect();
    await using harm = new Harm({ ...cluster, ...change }, shop, event => events.push(event));
    await work(harm, cluster, shop);
  }

  it('happens once, whatever is typed', async () => {
    await withHarm(async harm => {
      for (const key of 'kkspr2srx3ppr') harm.press(key);
      await harm.undo('c');
      expect(events).toEqual([
        'a is killed',
        'a is started again',
        'b is stopped',
        'b goes on',
        'c has its replay paused',
        'c goes on',
      ]);
      expect(harm.chosen).toBe(2);
    });
  });

  it('is told when it fails, and does not end the program', async () => {
    const kill = () => Promise.reject(new Error('no such process'));
    await withHarm(
      async harm => {
        await harm.kill('b');
        expect(events).toEqual(['b is killed', 'b: no such process']);
        expect(harm.conditionOf('b')).toBe('runs');
      },
      { kill },
    );
  });

  it('is not done where servers cannot do it', async () => {
    await withHarm(
      async harm => {
        await harm.pauseReplay('b');
        expect(events).toEqual(['b cannot do that: in memory has no such thing']);
        expect(harm.conditionOf('b')).toBe('runs');
      },
      { pauseReplay: undefined },
    );
  });

  it('leaves no server stopped', async () => {
    await withHarm(async harm => {
      await harm.stop('c');
    });
    expect(events).toEqual(['c is stopped', 'c goes on']);
  });

  it('makes an earlier primary a replica, when it is fenced', async () => {
    await withHarm(async (harm, _cluster, shop) => {
      await harm.undo('a');
      await harm.kill('a');
      await expect.poll(() => shop.snapshot().primary, { timeout: 20_000 }).not.toBe('a');
      await harm.undo('a');
      const a = () => shop.snapshot().servers.find(({ id }) => id === 'a');
      await expect.poll(() => a()?.isFenced, { timeout: 20_000 }).toBe(true);
      await harm.undo('a');
      await expect.poll(() => a()?.role, { timeout: 20_000 }).toBe('replica');
      expect(events).toEqual(['a is killed', 'a is started again', 'a follows the primary of today']);
    });
  });
});
