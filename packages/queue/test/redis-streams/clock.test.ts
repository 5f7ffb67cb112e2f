import { eventually, startRedis, steppedClock } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { group, Reader, topic } from '../../src/conformance/subject.ts';
import { messages, Queue } from '../../src/index.ts';

const hourMs = 3_600_000;
const soon = { withinMs: 30_000 };

describeWith([{ own: 'redis' }, 'cc'], 'a clock of the Redis that is set', () => {
  for (const [way, aheadMs] of [
    ['back', -hourMs],
    ['ahead', hourMs],
  ] as const) {
    it.each([{}, { ordered: true }])(
      `${way}: what is published then comes in its time, is tried again, and is taken from who has died %j`,
      async how => {
        const clock = await steppedClock();
        const server = await startRedis({ own: true, env: clock.env });
        onTestFinished(() => server.stop());
        const redis = new Redis({ port: server.port, lazyConnect: true });
        const driver = redisStreams({ redis, leaseMs: 3_000 });
        const queue = new Queue(driver, { messages: messages<{ [topic]: string }>() });
        onTestFinished(() => queue.close());
        const seen: string[] = [];
        const comes = (...texts: string[]) => eventually(async () => expect(seen).toEqual(texts), soon);
        await queue.declare(topic, 'another');
        await queue.subscribe(
          topic,
          text => {
            seen.push(text);
            if (text === '2' && !seen.slice(0, -1).includes('2')) throw new Error('once');
          },
          { group, backoff: { firstMs: 1_000, maxMs: 1_000 }, ...how },
        );
        await queue.publish(topic, '1', { key: 'k', delayMs: 300 });
        await comes('1');
        clock.set(aheadMs);
        const [seconds] = await redis.time();
        redis.disconnect();
        expect(Math.abs(Number(seconds) * 1_000 - Date.now() - aheadMs)).toBeLessThan(hourMs / 2);
        // A Redis whose clock was set back answers no consumer that waited then, until something new comes
        await queue.publish(topic, '2', { key: 'k', delayMs: 5 });
        await queue.publish(topic, '3', { delayMs: 2_000 });
        await eventually(async () => {
          expect(seen.filter(text => text === '2').length).toBeGreaterThan(1);
          expect(seen).toContain('3');
        }, soon);
        const all = (reader: Reader) =>
          eventually(async () => expect(new Set(reader.texts).size).toBe(3), soon);
        const dying = new Reader(driver, topic, 'another');
        await all(dying);
        await dying[Symbol.asyncDispose]();
        await using heir = new Reader(driver, topic, 'another', { each: each => each.ack() });
        await all(heir);
        for (const { deliveries } of heir.received) expect(deliveries).toBeGreaterThan(1);
      },
    );
  }
});
