import { ManualClock } from '@ashlar/core/testing';
import { type Redis as Server, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisTier } from '../../../src/adapters/redis.ts';
import { observe, patient } from '../../support/redis/sessions.ts';

describeWith('redis', 'a session', () => {
  let server: Server;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it.each(['pubsub', 'tracking'] as const)('checks four times per `boundMs`, with %s', async invalidation => {
    const clock = new ManualClock();
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const tier = redisTier({ redis, prefix: `checks ${invalidation}`, invalidation, boundMs: 1_000, clock });
    const { session } = await observe(tier);
    expect(session.confirmedUntil).toBe(1_000);
    for (let checked = 1; checked <= 8; checked++) {
      await expect.poll(() => clock.sleeping, patient).toBe(1);
      await clock.advance(249);
      expect(clock.sleeping).toBe(1); // it still waits
      await clock.advance(1);
      await expect.poll(() => session.confirmedUntil, patient).toBe(1_000 + checked * 250);
    }
  });
});
