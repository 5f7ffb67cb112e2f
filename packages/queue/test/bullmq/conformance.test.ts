import { randomUUID } from 'node:crypto';
import { type Redis as RedisServer, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import { queueConformance } from '../../src/conformance.ts';
import type { Driver } from '../../src/index.ts';

const { capabilities } = bullmq({ connection: new Redis({ lazyConnect: true }) });

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

  const libraries: Record<string, BullmqLibrary> = { 'bullmq 6': six, 'bullmq 5': five };
  for (const [name, library] of Object.entries(libraries)) {
    queueConformance(
      { describe, it },
      async () => {
        const prefix = randomUUID();
        const drivers: Driver[] = [];
        const open = () => {
          const connection = { port: server.port };
          const driver = bullmq({ connection, prefix, leaseMs: 2_000, library });
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
