import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import { redisStreams } from '../../src/adapters/redis-streams.ts';
import { DeliveryLostError, messages, Queue } from '../../src/index.ts';
import { ack, group, message, read, StreamsSite, soon, textOf, topic } from './site.ts';

describeWith([{ own: 'redis' }], 'jobs on Redis Streams', () => {
  const site = new StreamsSite();

  it('a group keeps so many results, and progress outlives a failure', async () => {
    const { driver, prefix } = site.open({ maxResults: 3 });
    await driver.declare(topic, group);
    const bytes = (text: string) => new TextEncoder().encode(text);
    const batch = Array.from({ length: 6 }, (_, n) => message(`${n}`));
    await driver.publish(topic, batch);
    const reader = read(driver);
    await reader.has(6);
    const first = reader.received[0]!;
    await first.progress!(bytes('half'));
    await first.nack({ requeueAfterMs: 10 });
    await reader.has(7);
    const again = await driver.find!(topic, group, first.id);
    expect(again).toMatchObject({ state: 'active', deliveries: 2, failures: 1 });
    expect(Buffer.from(again!.progress!).toString()).toBe('half');
    for (const each of reader.received.slice(1)) await each.ack({ result: bytes(textOf(each)) });
    const found = await Promise.all(batch.map(({ id }) => driver.find!(topic, group, id)));
    expect(found.map(job => job && [job.state, job.deliveries, Buffer.from(job.result!).toString()])).toEqual(
      [['done', 2, '0'], undefined, undefined, undefined, ['done', 1, '4'], ['done', 1, '5']],
    );
    expect(await site.admin.hlen(`{${prefix}:${topic}}:done:${group}`)).toBe(3);
  });

  it('counts without reading bodies, whoever has read how far', async () => {
    const { driver } = site.open();
    await driver.declare(topic, group);
    await driver.publish(
      topic,
      Array.from({ length: 1_000 }, (_, n) => message(`${n}`)),
    );
    await driver.declare(topic, 'late');
    await driver.publish(
      topic,
      Array.from({ length: 500 }, (_, n) => message(`late ${n}`)),
    );
    const reader = read(driver);
    await reader.has(50);
    await reader.end();
    await site.admin.config('RESETSTAT');
    expect(await driver.stats!(topic, group)).toEqual({ waiting: 1_450, delayed: 0, active: 50, dead: 0 });
    expect(await driver.stats!(topic, 'late')).toMatchObject({ waiting: 500, active: 0 });
    expect(await site.admin.info('commandstats')).not.toMatch(
      /cmdstat_(xrange|xrevrange|xread|xreadgroup|xautoclaim):/,
    );
    await driver.pause!(topic, group);
    await driver.publish(topic, [message('one more')]);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 1_451, active: 50 });
    await driver.resume!(topic, group);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 1_451, active: 50 });
  });

  it('takes dead letters in pages, and each once although it dies again at once', async () => {
    const count = 450;
    const { driver } = site.open();
    await driver.declare(topic, group);
    await driver.publish(
      topic,
      Array.from({ length: count }, (_, n) => message(`${n}`)),
    );
    let deaths = 0;
    read(driver, group, async each => {
      await each.nack({ dead: 'for the test' });
      deaths++;
    });
    await soon(async () => expect(deaths).toBe(count));
    expect(await driver.redrive!(topic, group, {})).toBe(count);
    await soon(async () => expect(deaths).toBe(2 * count));
    await site.admin.config('RESETSTAT');
    expect(await driver.purge!(topic, group, { limit: 250 })).toBe(250);
    expect(await site.admin.info('commandstats')).toMatch(/cmdstat_hdel:calls=250,/);
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await site.admin.info('commandstats'))![1];
    expect(Number(calls)).toBeGreaterThanOrEqual(3);
    const letters = await driver.inspect!(topic, group, { limit: 1_000 });
    const ids = letters.map(({ id }) => id);
    expect(await driver.purge!(topic, group, { ids: [...ids, 'unheard of'], limit: 150 })).toBe(150);
    expect(await driver.purge!(topic, group, { ids })).toBe(50);
    expect((await driver.stats!(topic, group)).dead).toBe(0);
  });

  it('knows what waits by its id for as long as it waits, and forgets it after that', async () => {
    const { driver, prefix } = site.open({ deduplicationMs: 1_000 });
    for (const name of ['quick', 'slow']) await driver.declare(topic, name);
    const old = message('old');
    await driver.publish(topic, [old]);
    const quick = read(driver, 'quick', ack);
    await quick.has(1);
    const again = async () => (await driver.publish(topic, [{ ...old, body: Buffer.from('again') }]))[0];
    await soon(async () => expect(await again()).toEqual({ ok: true }));
    expect((await driver.find!(topic, 'slow', old.id))?.state).toBe('waiting');
    await quick.has(2);
    const slow = read(driver, 'slow', ack);
    await slow.has(2);
    const left = async () => (await site.keysOf(prefix)).filter(name => name.startsWith('i'));
    await soon(async () => expect(await left()).toEqual([]));
  });

  it('shares a topic between ioredis and node-redis', async () => {
    const { driver, prefix } = site.open();
    const redis = createClient({ url: site.server.url });
    const { driver: other } = site.open({ redis, prefix });
    await driver.declare(topic, group);
    await driver.publish(topic, [message('ü')]);
    const reader = read(other, group, each => each.ack({ result: each.body }));
    await reader.has(1);
    const { id } = reader.received[0]!;
    await soon(async () =>
      expect(Buffer.from((await driver.find!(topic, group, id))!.result!).toString()).toBe('ü'),
    );
  });

  it('a queue finds progress and result, and cancels a message while its handler runs', async () => {
    const redis = new Redis({ port: site.server.port, lazyConnect: true });
    const streams = redisStreams({ redis, prefix: 'of-a-queue', leaseMs: 3_000 });
    const queue = new Queue(streams, { messages: messages<{ work: { n: number } }>() });
    onTestFinished(() => queue.close());
    const aborted: unknown[] = [];
    await queue.subscribe(
      topic,
      async ({ n }, { progress, signal }) => {
        await progress({ at: n });
        if (n === 1) return { sum: 42 };
        await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()));
        aborted.push(signal.reason);
        throw signal.reason;
      },
      { group, results: true },
    );
    const done = await queue.publish(topic, { n: 1 });
    const running = await queue.publish(topic, { n: 2 });
    await soon(async () => {
      const [one, two] = [
        await queue.find(topic, done.id, group),
        await queue.find(topic, running.id, group),
      ];
      expect(one).toMatchObject({ state: 'done', result: { sum: 42 }, progress: { at: 1 } });
      expect(two).toMatchObject({ state: 'active', progress: { at: 2 } });
    });
    expect(await queue.cancel(topic, running.id, group)).toBe(true);
    await soon(async () => expect(aborted).toEqual([expect.any(DeliveryLostError)]));
    expect(await queue.find(topic, running.id, group)).toBeUndefined();
    expect(await queue.stats(topic, group)).toMatchObject({ waiting: 0, delayed: 0, active: 0, dead: 0 });
  });

  it('counts also where somebody has deleted from the stream', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const batch = Array.from({ length: 10 }, (_, n) => message(`${n}`));
    await driver.publish(topic, batch);
    const stream = `{${prefix}:${topic}}:s`;
    const [entry] = (await site.admin.xrange(stream, '-', '+', 'COUNT', 5)).slice(-1);
    await site.admin.xdel(stream, entry![0]);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 9, active: 0 });
    const reader = read(driver, group, ack);
    await reader.has(9);
    expect(await driver.find!(topic, group, batch[4]!.id)).toBeUndefined();
  });
});
