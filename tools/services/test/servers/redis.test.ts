import { Redis as Client, Cluster } from 'ioredis';
import { expect, it } from 'vitest';
import { eventually, startRedis, startRedisCluster } from '../../src/index.ts';
import { isAlive } from '../../src/processes/processes.ts';
import { describeWith } from '../../src/tests/vitest.ts';
import { closing, isPaused, soon } from '../support.ts';

function client(url: string): Client {
  const redis = new Client(url, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  return closing(redis);
}

describeWith({ own: 'redis' }, 'redis', () => {
  it('keeps what the replicas were sent, and its data over a kill', async () => {
    const redis = closing(
      await startRedis({ replicas: 1, config: { appendonly: 'yes', appendfsync: 'always' } }),
    );
    const primary = client(redis.url);
    const replica = client(redis.replicas[0]!.url);
    await primary.set('a', '1');
    expect(await primary.wait(1, 30_000)).toBe(1);
    expect(await replica.get('a')).toBe('1');
    const { pid } = redis;
    await redis.kill();
    expect(isAlive(pid)).toBe(false);
    await redis.restart();
    expect(await primary.get('a')).toBe('1');
  });

  it('stands still while it is paused, and answers afterwards', async () => {
    const redis = closing(await startRedis({ own: true }));
    const paused = client(redis.url);
    await paused.ping();
    redis.pause();
    await eventually(async () => expect(isPaused(redis.pid)).toBe(true), soon);
    const answer = paused.ping();
    redis.resume();
    expect(await answer).toBe('PONG');
  });

  it('fails over when Sentinel sees the primary die', async () => {
    const redis = closing(await startRedis({ replicas: 1, sentinels: 3 }));
    const sentinel = client(redis.sentinels[0]!.url);
    const ask = () =>
      sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', redis.masterName) as Promise<[string, string]>;
    expect(await ask()).toEqual(['127.0.0.1', String(redis.port)]);
    await redis.kill();
    const promoted = redis.replicas[0]!;
    await eventually(async () => expect(await ask()).toEqual(['127.0.0.1', String(promoted.port)]), soon);
    const writer = client(promoted.url);
    await eventually(async () => expect(await writer.set('a', '1')).toBe('OK'), soon);
  });

  it('shares the slots of a cluster', async () => {
    const { nodes, stop } = closing(await startRedisCluster());
    const cluster = closing(new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port }))));
    for (let index = 0; index < 20; index++) await cluster.set(`key-${index}`, index);
    const sizes = await Promise.all(nodes.map(({ url }) => client(url).dbsize()));
    expect(sizes.reduce((a, b) => a + b)).toBe(20);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    await stop();
    expect(nodes.map(node => node.running)).toEqual([false, false, false]);
  });

  it('quotes a directive that Redis refuses', async () => {
    await expect(startRedis({ config: { 'no-such-directive': 1 } })).rejects.toThrow(
      /redis ended \(exit code 1\) before it was ready[\s\S]*no-such-directive/,
    );
  });
});
