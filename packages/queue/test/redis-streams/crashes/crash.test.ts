import { eventually, startRedis } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../../../src/adapters/redis-streams.ts';
import type { Driver } from '../../../src/index.ts';
import { group, message, read, soon, topic } from '../site.ts';

const keyed = (text: string, key: string) => message(text, { deduplication: { key, mode: 'simple' } });

/** Its consumers begin again when iterating fails, as those of a queue do. */
function drain(driver: Driver): () => Promise<void> {
  const stop = new AbortController();
  const reading = (async () => {
    while (!stop.signal.aborted) {
      try {
        for await (const each of driver.consume(topic, group, { prefetch: 50, signal: stop.signal })) {
          each.ack().catch(() => {});
        }
      } catch {
        await new Promise(resolve => setImmediate(resolve));
      }
    }
  })();
  return async () => {
    stop.abort();
    await reading;
  };
}

describeWith([{ own: 'redis' }], 'a crash of the Redis under jobs', () => {
  it('leaves no key without its message: with each that comes back its key does', async () => {
    const server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } });
    onTestFinished(() => server.stop());
    const redis = new Redis({ port: server.port, lazyConnect: true });
    const driver = redisStreams({ redis, leaseMs: 1_000, timeoutMs: 2_000 });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await driver.declare(topic, group);
    const keys = Array.from({ length: 12 }, (_, n) => `key ${n}`);
    await driver.publish(
      topic,
      keys.map(key => keyed('first', key)),
    );
    const before = read(driver);
    await before.has(12);
    // Some are settled, some are not, and some of that is not answered any more
    for (const [index, each] of before.received.entries()) {
      const settled = [
        () => each.ack(),
        () => each.nack({ requeueAfterMs: 10 }),
        () => each.nack({ dead: 'for the test' }),
        async () => {},
      ][index % 4]!();
      if (index < 8) await settled;
      else settled.catch(() => {});
    }
    await driver.pause!(topic, group);
    await server.kill();
    await before.end().catch(() => {}); // The connection is lost
    await server.restart();
    const publish = () =>
      driver.publish(
        topic,
        keys.map(key => keyed('second', key)),
      );
    let published = await publish();
    await eventually(
      async () => {
        published = await publish();
        expect(published.every(({ ok }) => ok)).toBe(true);
      },
      { withinMs: 20_000 },
    );
    // The pause is there too: what is not settled holds its key, and waits
    const [free, taken] = [published[0]!, published[3]!];
    expect([free, taken]).toEqual([expect.anything(), { ok: true, isDuplicate: true }]);
    expect((await driver.stats!(topic, group)).waiting).toBeGreaterThan(0);
    await driver.resume!(topic, group);
    const end = drain(driver);
    await soon(async () => {
      const none = { waiting: 0, delayed: 0, active: 0 };
      expect(await driver.stats!(topic, group)).toMatchObject(none);
    });
    await end();
    expect((await publish()).filter(each => !each.ok || each.isDuplicate)).toEqual([]);
  });
});
