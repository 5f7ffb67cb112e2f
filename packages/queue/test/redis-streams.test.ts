import { randomUUID } from 'node:crypto';
import { type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type RedisStreamsCapabilities, redisStreams } from '../src/adapters/redis-streams.ts';
import { queueConformance } from '../src/conformance.ts';
import type { Driver } from '../src/index.ts';

const capabilities: RedisStreamsCapabilities = {
  delay: true,
  priority: false,
  fanout: true,
  durable: true,
  orderedKeys: false,
  deadLetters: true,
  crashCount: true,
  uniqueIds: true,
  expiry: true,
};

describeWith('redis', 'on Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis({ own: true });
    admin = new Redis(server.port);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const clients = {
    'redisStreams with ioredis 6': () => new Redis({ port: server.port, lazyConnect: true }),
    'redisStreams with a key prefix': () =>
      new Redis({ port: server.port, lazyConnect: true, keyPrefix: 'app:', db: 3 }),
  };
  for (const [name, client] of Object.entries(clients)) {
    queueConformance(
      { describe, it },
      async () => {
        const prefix = randomUUID();
        const drivers: Driver[] = [];
        const open = () => {
          const driver = redisStreams({ redis: client(), prefix, leaseMs: 2_000 });
          drivers.push(driver);
          return driver;
        };
        return {
          driver: open(),
          other: async () => open(),
          break: async () => void (await admin.call('CLIENT', ['KILL', 'TYPE', 'normal'])),
          async [Symbol.asyncDispose]() {
            await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
          },
        };
      },
      { name, capabilities, features: { others: true, breaks: true } },
    );
  }
});
