import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../src/adapters/redis-streams.ts';
import { UnsafeBackendError } from '../src/index.ts';

describeWith([{ own: 'redis' }], 'a Redis that may lose messages', () => {
  it('is refused while it may evict, and warned of without an append-only file', async () => {
    const server = await startRedis({ config: { 'maxmemory-policy': 'allkeys-lru' } });
    onTestFinished(() => server.stop());
    const warnings: unknown[] = [];
    const hear = (message: unknown) => warnings.push(message);
    subscribe('ashlar:queue:warning', hear);
    onTestFinished(() => void unsubscribe('ashlar:queue:warning', hear));
    const redis = new Redis({ port: server.port, lazyConnect: true });
    await using strict = redisStreams({ redis });
    await expect(strict.declare('topic', 'group')).rejects.toThrow(UnsafeBackendError);
    expect(warnings).toEqual([
      { driver: 'redisStreams', warning: expect.stringContaining('no append-only file') },
      { driver: 'redisStreams', warning: expect.stringContaining('allkeys-lru, not noeviction') },
    ]);
    await using lenient = redisStreams({ redis, allowEviction: true });
    await lenient.declare('topic', 'group');
  });
});
