import { once } from 'node:events';
import { startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { GroupGoneError, messages, Queue, QueueUnavailableError } from '../../src/index.ts';
import { group, StreamsSite, topic } from './site.ts';

describeWith([{ own: 'redis' }], 'a group of Redis Streams that is gone', () => {
  const site = new StreamsSite();
  const soon = { timeout: 20_000 };

  it.each(['the stream', 'the group', 'everything'])(
    'health fails when %s was deleted, and is well after another declaration',
    async what => {
      const { driver, prefix } = site.open();
      const queue = new Queue(driver, { messages: messages<{ [topic]: number }>() });
      onTestFinished(() => queue.close());
      const handled: number[] = [];
      await queue.subscribe(topic, n => void handled.push(n), { group });
      await queue.publish(topic, 1);
      await expect.poll(() => handled, soon).toEqual([1]);
      const names = (await site.keysOf(prefix)).map(name => `{${prefix}:${topic}}:${name}`);
      const stream = names.find(name => name.endsWith(':s'))!;
      if (what === 'the stream') await site.admin.del(stream);
      if (what === 'the group') await site.admin.xgroup('DESTROY', stream, group);
      if (what === 'everything') await site.admin.del(...names);
      await expect.poll(() => queue.health().ok, soon).toBe(false);
      expect(queue.health().subscriptions[0]!.reason).toContain('GroupGoneError');
      await queue.declare(topic, group);
      await expect.poll(() => queue.health().ok, soon).toBe(true);
      await queue.publish(topic, 2);
      await expect.poll(() => handled, soon).toEqual([1, 2]);
    },
  );

  it('health fails also while all places are taken', async () => {
    const { driver, prefix } = site.open({ leaseMs: 3_600_000 });
    const queue = new Queue(driver, { messages: messages<{ [topic]: number }>() });
    onTestFinished(() => queue.close({ timeoutMs: 0 }));
    const begun: number[] = [];
    const endless = async (n: number, { signal }: { readonly signal: AbortSignal }) => {
      begun.push(n);
      await once(signal, 'abort');
    };
    await queue.subscribe(topic, endless, { group, concurrency: 1 });
    await queue.publish(topic, 1);
    await expect.poll(() => begun, soon).toEqual([1]);
    await site.admin.del(`{${prefix}:${topic}}:s`);
    await expect.poll(() => queue.health().subscriptions[0]!.reason, soon).toContain('GroupGoneError');
  });

  it('is told from a server that is away', async () => {
    const server = await startRedis({ own: true });
    onTestFinished(() => server.stop());
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const driver = redisStreams({ redis, timeoutMs: 2_000 });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await expect(driver.probe!(topic, group)).rejects.toBeInstanceOf(GroupGoneError);
    await driver.declare(topic, group);
    await driver.probe!(topic, group);
    await expect(driver.probe!(topic, 'another')).rejects.toBeInstanceOf(GroupGoneError);
    await server.kill();
    await expect(driver.probe!(topic, group)).rejects.toBeInstanceOf(QueueUnavailableError);
  });
});
