import { randomUUID } from 'node:crypto';
import { describeWith } from '@workspace/services/vitest';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import { Redis } from 'ioredis';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import { queueConformance } from '../../src/conformance.ts';
import type { Driver } from '../../src/index.ts';
import { RedisSite } from '../support/redis-site.ts';
import { sideBySide } from '../support/side-by-side.ts';

const { capabilities } = bullmq({ connection: new Redis({ lazyConnect: true }) });

describeWith('redis', 'on Redis', () => {
  const site = new RedisSite();

  const libraries: Record<string, BullmqLibrary> = { 'bullmq 6': six, 'bullmq 5': five };
  for (const [name, library] of Object.entries(libraries)) {
    queueConformance(
      sideBySide,
      async () => {
        const prefix = randomUUID();
        const drivers: Driver[] = [];
        const open = () => {
          const connection = { port: site.server.port };
          const driver = bullmq({ connection, prefix, leaseMs: 2_000, library });
          drivers.push(driver);
          return driver;
        };
        return {
          driver: open(),
          other: async () => open(),
          break: async () => void (await site.admin.call('CLIENT', ['KILL', 'TYPE', 'normal'])),
          async [Symbol.asyncDispose]() {
            await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
          },
        };
      },
      { name, capabilities, features: { others: true, breaks: true } },
    );
  }
});
