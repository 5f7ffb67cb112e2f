import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { newClient } from '../../faults/redis/replication.ts';
import { redisServers, sentinel } from '../../src/adapters/redis.ts';
import { ReplicaSet } from '../../src/index.ts';

const withNames = { depth: 10 };

describeWith('redis', 'a wrong password of Redis', () => {
  let redis: RedisServer;
  let url: string;
  beforeAll(async () => {
    redis = await startRedis({ replicas: 0, config: {} });
    const admin = new Redis(redis.port, '127.0.0.1');
    await admin.config('SET', 'requirepass', 'right');
    admin.disconnect();
    url = `redis://:S3CRET@127.0.0.1:${redis.port}`;
  });
  afterAll(() => redis?.stop());

  it('is in no error and no message that is published', async () => {
    const published: unknown[] = [];
    const note = (message: unknown) => published.push(message);
    for (const event of ['topology', 'server-up', 'server-down', 'retry', 'fallback', 'warning']) {
      const name = `ashlar:replica-failover:${event}`;
      subscribe(name, note);
      onTestFinished(() => void unsubscribe(name, note));
    }
    const servers = redisServers({ servers: [{ id: 'a', connection: url }], newClient });
    const authority = sentinel({ sentinels: [url], name: 'mymaster', newClient });
    for (const options of [{ servers }, { servers, authority }]) {
      const error: unknown = await ReplicaSet.connect(options).catch((error: unknown) => error);
      expect((error as Error).message).toContain('WRONGPASS');
      expect(inspect(error, withNames)).not.toContain('S3CRET');
    }
    // What is searched has the command that the server refused
    expect(inspect(published, withNames)).toMatch(/name: '(hello|auth)'/);
    expect(inspect(published, withNames)).not.toContain('S3CRET');
    expect(JSON.stringify(published)).not.toContain('S3CRET');
  });
});
