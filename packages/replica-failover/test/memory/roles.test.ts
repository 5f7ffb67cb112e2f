import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { memoryCluster, NoPrimaryError, ReplicaSet } from '../../src/index.ts';
import { over, sightings } from './changed-server.ts';

it('of two primaries in one term the one from before stays, and the set says so', async () => {
  const cluster = memoryCluster();
  let isPrimary = false;
  const servers = cluster
    .servers()
    .map(server =>
      server.id === 'b' ? sightings(() => (isPrimary ? { role: 'primary' } : {}))(server) : server,
    );
  const set = await ReplicaSet.connect({ servers, heartbeat: { intervalMs: 20 } });
  onTestFinished(() => set.close());
  const warnings: unknown[] = [];
  const listen = (message: unknown) => warnings.push((message as { warning: string }).warning);
  subscribe('ashlar:replica-failover:warning', listen);
  onTestFinished(() => void unsubscribe('ashlar:replica-failover:warning', listen));
  isPrimary = true;
  await expect.poll(() => warnings).toEqual(['a and b each say that they are the primary of term 1']);
  expect(set.snapshot().primary).toBe('a');
  await set.write(db => db.set('a', '1'));
});

it('where there was none before, neither is', async () => {
  const servers = memoryCluster()
    .servers()
    .map(sightings(() => ({ role: 'primary' })));
  const connecting = ReplicaSet.connect({ servers: servers.slice(0, 2), timeoutMs: 300 });
  await expect(connecting.then(set => set.close())).rejects.toThrow(/has no primary that answers.*each say/);
});

it('a process that starts while there is no primary is told so, though replicas could be read', async () => {
  const cluster = memoryCluster();
  cluster.kill('a');
  const connecting = ReplicaSet.connect({ servers: cluster.servers(), timeoutMs: 300 });
  await expect(connecting.then(set => set.close())).rejects.toThrow(NoPrimaryError);
});

it('a process that starts does not believe a primary of an earlier term, though it answers first', async () => {
  const cluster = memoryCluster();
  cluster.promote('b'); // a lives, and is not told
  let looks = 0;
  let answer = () => {};
  const asked = new Promise<void>(resolve => {
    answer = resolve;
  });
  const servers = cluster.servers().map(server =>
    over(server, {
      async look(signal) {
        if (server.id === 'b') await asked;
        if (server.id === 'a') looks++;
        return server.look(signal);
      },
    }),
  );
  const connecting = ReplicaSet.connect({ servers, heartbeat: { intervalMs: 10, deadlineMs: 5_000 } });
  let isConnected = false;
  void connecting.then(() => {
    isConnected = true;
  });
  await expect.poll(() => looks).toBeGreaterThan(2);
  expect(isConnected).toBe(false);
  answer();
  const set = await connecting;
  onTestFinished(() => set.close());
  expect(set.snapshot().primary).toBe('b');
});
