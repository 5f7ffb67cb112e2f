import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { redisStore } from '@ashlar/store/redis';
import { programArgs } from '@workspace/faults';
import { startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { discover } from '../../../src/adapters/registry.ts';
import { type Endpoint, LoadBalancer } from '../../../src/index.ts';
import { until } from '../../support/until.ts';

const program = new URL('../../fixtures/registered.ts', import.meta.url);
const ttlMs = 1_500;

async function replica(port: number, id: string): Promise<ChildProcess> {
  const args = programArgs(program, `${port}`, id, `${ttlMs}`);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  await once(child, 'message');
  return child;
}

/** A Redis, replicas in processes of their own, and a balancer here that knows of them only by the registry. */
async function site(...ids: string[]) {
  const server = await startRedis({ own: true });
  onTestFinished(() => server.stop());
  const replicas = await Promise.all(ids.map(id => replica(server.port, id)));
  const store = redisStore({ redis: new Redis({ port: server.port, lazyConnect: true }) });
  const lb = new LoadBalancer<Endpoint>({ endpoints: discover(store) });
  onTestFinished(async () => {
    await lb.close();
    await store.close();
  });
  const known = () => lb.endpoints.map(({ id }) => id);
  const ask = () =>
    lb.run(async ({ endpoint, signal }) => (await fetch(endpoint.url!, { signal })).text(), {
      idempotent: true,
    });
  await until(() => expect(known()).toEqual(ids));
  return { server, replicas, lb, known, ask };
}

describeWith('redis', 'replicas in a registry', () => {
  it('are left out when they end: at once in good order, after their time when killed', async () => {
    const { replicas, known, ask } = await site('a', 'b', 'c');
    const [a, b] = replicas as [ChildProcess, ChildProcess, ChildProcess];
    a.kill('SIGTERM');
    await once(a, 'message');
    await until(() => expect(known()).toEqual(['b', 'c']));
    b.kill('SIGKILL');
    for (let i = 0; i < 20; i++) expect(await ask()).toBe('c');
    await until(() => expect(known()).toEqual(['c']));
  });

  it('are left out while they stand still, and back when they go on', async () => {
    const { replicas, known } = await site('a', 'b');
    replicas[0]!.kill('SIGSTOP');
    await until(() => expect(known()).toEqual(['b']));
    replicas[0]!.kill('SIGCONT');
    await until(() => expect(known()).toEqual(['a', 'b']));
  });

  it('are asked on while the store is gone, and when it comes back without its data', async () => {
    const { server, known, ask, lb } = await site('a', 'b');
    let over = false;
    const missing: string[][] = [];
    lb.watch(endpoints => {
      if (endpoints.length < 2) missing.push(endpoints.map(({ id }) => id));
    });
    let asked = 0;
    const asking = (async () => {
      for (; !over; asked++) expect(['a', 'b']).toContain(await ask());
    })();
    await server.kill();
    const since = performance.now();
    await until(() => expect(performance.now() - since).toBeGreaterThan(2 * ttlMs));
    expect(known()).toEqual(['a', 'b']);
    await server.restart();
    const admin = new Redis(server.port);
    onTestFinished(() => admin.disconnect());
    await until(async () =>
      expect((await admin.keys('*')).filter(key => key.includes('lb/default')).length).toBeGreaterThan(0),
    );
    const restored = performance.now();
    await until(() => expect(performance.now() - restored).toBeGreaterThan(2 * ttlMs));
    over = true;
    await asking;
    expect([known(), missing]).toEqual([['a', 'b'], []]);
    expect(asked).toBeGreaterThan(0);
  });
});
