import { describeWith } from '@workspace/services/vitest';
import * as six from 'bullmq';
import * as five from 'bullmq-5';
import * as oldestSix from 'bullmq-6-3';
import { Redis } from 'ioredis';
import { type BullmqLibrary, bullmq } from '../../src/adapters/bullmq.ts';
import { queueConformance } from '../../src/conformance.ts';
import { RedisSite } from '../support/redis-site.ts';
import { redisSubject } from '../support/redis-subject.ts';
import { sideBySide } from '../support/side-by-side.ts';

const { capabilities } = bullmq({ connection: new Redis({ lazyConnect: true }) });

describeWith('redis', 'on Redis', () => {
  const site = new RedisSite();

  const libraries: Record<string, BullmqLibrary> = {
    'bullmq 6': six,
    'bullmq 6.3.3': oldestSix,
    'bullmq 5': five,
  };
  for (const [name, library] of Object.entries(libraries)) {
    queueConformance(
      sideBySide,
      redisSubject(
        prefix => bullmq({ connection: { port: site.server.port }, prefix, leaseMs: 2_000, library }),
        () => [site.admin],
      ),
      { name, capabilities, features: { others: true, breaks: true } },
    );
  }
});
