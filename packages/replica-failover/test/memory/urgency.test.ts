import { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import { memoryCluster, ReplicaSet } from '../../src/index.ts';
import { over } from './changed-server.ts';

it('while there is no primary, servers are looked at five times as often', async () => {
  const clock = new ManualClock();
  const cluster = memoryCluster();
  let looks = 0;
  const servers = cluster.servers().map(server =>
    over(server, {
      look(signal) {
        if (server.id === 'b') looks++;
        return server.look(signal);
      },
    }),
  );
  await using set = await ReplicaSet.connect({
    servers,
    clock,
    heartbeat: { intervalMs: 1_000, deadlineMs: 100 },
  });
  const looksIn = async (ms: number) => {
    const before = looks;
    for (let passed = 0; passed < ms; passed += 100) await clock.advance(100);
    return looks - before;
  };
  expect(await looksIn(10_000)).toBe(10);
  cluster.kill('a');
  await looksIn(2_000);
  expect(await looksIn(10_000)).toBe(50);
  cluster.promote('b');
  await looksIn(1_000);
  expect(set.snapshot().primary).toBe('b');
  expect(await looksIn(10_000)).toBe(10);
});
