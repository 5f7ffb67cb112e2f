import { expect, it } from 'vitest';
import { memoryCluster, ReplicaSet, ReplicaSetClosedError } from '../../src/index.ts';

it('a commit that is in doubt when the set is closed is Unknown', async () => {
  const cluster = memoryCluster();
  const set = await ReplicaSet.connect({
    servers: cluster.servers(),
    heartbeat: { intervalMs: 10, deadlineMs: 50 },
  });
  const committing = set.transaction(async db => {
    await db.set('a', '1');
    cluster.kill('b');
    cluster.kill('c');
  });
  committing.catch(() => {});
  // It is in the log of a, and nobody acknowledges it
  await expect.poll(() => set.snapshot().servers[0]?.position?.offset).toBe('1');
  cluster.kill('a');
  await expect.poll(() => set.snapshot().servers[0]?.state).toBe('down');
  await set.close();
  await expect(committing).rejects.toThrow(ReplicaSetClosedError);
  await expect(committing).rejects.toMatchObject({ outcome: 'Unknown' });
});
