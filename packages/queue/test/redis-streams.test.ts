import { randomUUID } from 'node:crypto';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { expect, it } from 'vitest';
import { redisStreams } from '../src/adapters/redis-streams.ts';
import { queueConformance } from '../src/conformance.ts';
import type { Delivery } from '../src/index.ts';
import { RedisSite } from './support/redis-site.ts';
import { redisSubject } from './support/redis-subject.ts';
import { sideBySide } from './support/side-by-side.ts';

const { capabilities } = redisStreams({ redis: new Redis({ lazyConnect: true }) });

describeWith('redis', 'on Redis', () => {
  const site = new RedisSite();

  const clients = {
    'redisStreams with ioredis 6': () => new Redis({ port: site.server.port, lazyConnect: true }),
    'redisStreams with ioredis 5 and a key prefix': () =>
      new Redis5({ port: site.server.port, lazyConnect: true, keyPrefix: 'app:', db: 3 }),
  };
  for (const [name, client] of Object.entries(clients)) {
    queueConformance(
      sideBySide,
      redisSubject(
        prefix => redisStreams({ redis: client(), prefix, leaseMs: 2_000 }),
        () => [site.admin],
      ),
      { name, capabilities, features: { others: true, breaks: true } },
    );
  }

  it('settles what a consumer holds, also when that is more than one look of the server shows', async () => {
    const count = 10_200;
    const redis = new Redis({ port: site.server.port, lazyConnect: true });
    await using driver = redisStreams({ redis, prefix: randomUUID(), leaseMs: 60_000 });
    await driver.declare('work', 'group');
    const batch = Array.from({ length: count }, (_, n) => ({
      id: `${n}`,
      body: Buffer.from('x'),
      headers: {},
    }));
    await driver.publish('work', batch);
    const stop = new AbortController();
    const held: Delivery[] = [];
    const options = { prefetch: count, signal: stop.signal };
    for await (const delivery of driver.consume('work', 'group', options)) {
      if (held.push(delivery) === count) break;
    }
    await Promise.all(held.slice(-10).map(delivery => delivery.ack()));
    expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 0, active: count - 10 });
  });
});
