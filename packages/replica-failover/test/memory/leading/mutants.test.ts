import { memoryStore } from '@ashlar/store';
import { expect, it } from 'vitest';
import { type Administration, leading, memoryCluster, ReplicaSet, type Server } from '../../../src/index.ts';
import type { MemoryClient } from '../../../src/memory/connection.ts';
import { over } from '../changed-server.ts';

const never = new AbortController().signal;
type Detach = (administration: Administration, id: string) => Administration['detach'];

/**
 * Promotes another server for a primary that lives and is only cut off from the set, while somebody else writes there at the
 * worst moment. Resolves with what the old primary has acknowledged then.
 */
async function acknowledged(detach: Detach): Promise<string[]> {
  const cluster = memoryCluster();
  await using store = memoryStore();
  const servers = cluster.servers();
  const bypass = await servers[0]!.open({ maxConnections: 1, onLost() {} }).acquire(never);
  const keys: string[] = [];
  let isCutOff = false;
  const change = (server: Server<MemoryClient>) =>
    over(server, {
      async look(signal) {
        if (isCutOff && server.id === 'a') throw new Error('cut off');
        return server.look(signal);
      },
      async administer(term, signal) {
        const administration = await server.administer!(term, signal);
        return over(administration, {
          detach: detach(administration, server.id),
          async promote(stop) {
            bypass.client.set('late', '1').then(
              () => keys.push('late'),
              () => {},
            );
            // Whoever could acknowledge has done so by then
            for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
            await administration.promote(stop);
          },
        });
      },
    });
  await using set = await ReplicaSet.connect({
    servers: servers.map(change),
    authority: leading({ store, alone: true, refusedMs: 0 }),
    heartbeat: { intervalMs: 10, deadlineMs: 100 },
  });
  isCutOff = true;
  await expect.poll(() => set.snapshot().primary).not.toBe('a');
  return keys;
}

it('whom a promotion has recruited acknowledges nothing to the old primary, though that lives', async () => {
  expect(await acknowledged(administration => administration.detach.bind(administration))).toEqual([]);
});

it.each<[what: string, detach: Detach]>([
  ['without recruiting', administration => () => administration.position()],
  [
    'with one standby recruited of the two that are needed',
    (administration, id) =>
      id === 'c' ? () => administration.position() : administration.detach.bind(administration),
  ],
  [
    'recruited by the setting alone, while what was connected goes on',
    administration => async signal => {
      setImmediate(() => setImmediate(() => void administration.detach(signal).catch(() => {})));
      return administration.position();
    },
  ],
])('a promotion %s is caught', async (_what, detach) => {
  expect(await acknowledged(detach)).toEqual(['late']);
});
