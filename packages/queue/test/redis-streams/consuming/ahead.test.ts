import { setImmediate as turn } from 'node:timers/promises';
import { startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { type Delivery, type Driver, GroupGoneError } from '../../../src/index.ts';
import { ack, group, message, read, StreamsSite, soon, topic } from '../site.ts';

const prefetch = 100;
const half = prefetch / 2;
const texts = (count: number) => Array.from({ length: count }, (_, n) => message(`${n}`));

describeWith([{ own: 'redis' }], 'what a consumer of Redis Streams asks for ahead', () => {
  const site = new StreamsSite();

  it('the server works on one half of the places while the other is handled', async () => {
    const { driver } = site.open();
    const count = 2_000;
    await driver.declare(topic, group);
    await driver.publish(topic, texts(count));
    const monitor = await site.admin.duplicate().monitor();
    onTestFinished(() => monitor.disconnect());
    const seen: string[] = [];
    monitor.on('monitor', (_time: string, [name, ...args]: string[]) => {
      if (/^evalsha$/i.test(name!) && args[2]?.endsWith(':s') && args[4] !== '0') seen.push('settle or look');
      if (/^xreadgroup$/i.test(name!) && !args.includes('BLOCK') && args.at(-2)!.endsWith(':s')) {
        seen.push(args[args.indexOf('COUNT') + 1]!);
      }
    });
    // All are acknowledged in the turn in which they come
    const reading = read(driver, group, async each => void each.ack(), { prefetch });
    await reading.has(count);
    await reading.end();
    expect(seen.filter(places => places === `${half}`).length).toBeGreaterThan(count / prefetch / 2);
  });

  it('is there at once, in place of those that are acknowledged, and never more than there are places', async () => {
    const { driver, next, acknowledge } = await filled();
    await acknowledge(half);
    await soon(() => has(driver, { active: prefetch, waiting: 250 - half - prefetch }));
    await acknowledge(half);
    await soon(() => has(driver, { active: half, waiting: 250 - half - prefetch }));
    for (let n = 0; n < half; n++) expect((await next()).deliveries).toBe(1);
    await soon(() => has(driver, { active: prefetch, waiting: 250 - 2 * prefetch }));
  });

  it.each(['its signal aborts', 'it is left'])(
    'goes back uncharged when %s, and what was handed out can be settled',
    async how => {
      const { driver, deliveries, acknowledge, stop, iterator } = await filled({}, 10);
      await acknowledge(half);
      await soon(() => has(driver, { active: prefetch }));
      if (how === 'its signal aborts') {
        stop.abort();
        expect(await iterator.next()).toMatchObject({ done: true });
      } else {
        await iterator.return!();
      }
      await has(driver, { active: 40, waiting: 250 - prefetch + 10 });
      await Promise.all(deliveries.slice(half).map(ack));
      const others = read(driver, group, ack, { prefetch });
      await others.has(250 - prefetch + 10);
      expect(others.received.every(each => each.deliveries === 1)).toBe(true);
      await soon(() => has(driver, { active: 0, waiting: 0 }));
    },
  );

  it('has its lease from when it came, and whoever had it meanwhile settles it', async () => {
    const { driver, prefix, next, acknowledge } = await filled({ leaseMs: 1_000 });
    await acknowledge(half);
    await soon(() => has(driver, { active: prefetch }));
    const others = read(site.open({ prefix, leaseMs: 1_000 }).driver, group, ack, { prefetch });
    await others.has(250 - half);
    const late = await next();
    await expect(late.ack()).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_DELIVERY_LOST' });
    await soon(() => has(driver, { active: 0, waiting: 0 }));
    expect(new Set(others.received.map(({ id }) => id)).size).toBe(250 - half);
  });

  it('is told in its turn that the group is gone: what has come before is handed out', async () => {
    const { prefix, iterator, next, acknowledge } = await filled({}, 10);
    await site.admin.del(`{${prefix}:${topic}}:s`);
    await acknowledge(half);
    for (let n = 0; n < 10; n++) expect(await next()).toMatchObject({ deliveries: 1 });
    await expect(iterator.next()).rejects.toBeInstanceOf(GroupGoneError);
  });

  it('is lost with the connection, and comes to the next consumer', async () => {
    const proxy = await startTcpProxy({ target: site.server.port });
    onTestFinished(() => proxy.stop());
    const redis = new Redis({ port: proxy.port, lazyConnect: true });
    const { prefix, iterator, next, deliveries } = await filled(
      { redis, leaseMs: 2_000, timeoutMs: 2_000 },
      10,
    );
    const direct = site.open({ prefix, leaseMs: 2_000 }).driver;
    proxy.hush();
    const acks = Promise.allSettled(deliveries.slice(0, half).map(ack));
    await soon(() => has(direct, { active: prefetch }));
    await proxy.stop();
    expect((await acks).every(({ status }) => status === 'rejected')).toBe(true);
    await turn(); // Nobody asks for the next one meanwhile: it is no unhandled rejection
    for (let n = 0; n < 10; n++) await next();
    await expect(iterator.next()).rejects.toThrow();
    const others = read(direct, group, ack, { prefetch });
    await others.has(250 - half);
    await soon(() => has(direct, { active: 0, waiting: 0 }));
    expect(new Set(others.received.map(({ id }) => id)).size).toBe(250 - half);
  });

  it('one that is acknowledged too late makes no room for another', async () => {
    const { driver, prefix } = site.open({ leaseMs: 300 });
    await driver.declare(topic, group);
    await driver.publish(topic, texts(3));
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const iterator = driver
      .consume(topic, group, { prefetch: 1, signal: stop.signal })
      [Symbol.asyncIterator]();
    const late: Delivery = (await iterator.next()).value;
    const other = site.open({ prefix, leaseMs: 60_000 }).driver;
    const holder = read(other, group, async () => {}, { prefetch: 1 });
    await holder.has(1);
    const second: Delivery = (await iterator.next()).value;
    const third = iterator.next();
    third.catch(() => {});
    await expect(late.ack()).rejects.toThrow();
    await second.extend(300);
    await has(driver, { active: 2, waiting: 1 });
    await second.ack();
    await (await third).value.ack();
  });

  /** A consumer that has 250 messages in reach, and so many places taken; of its first `kept` none is handed out yet. */
  async function filled(options: Parameters<StreamsSite['open']>[0] = {}, kept = 0) {
    const { driver, prefix } = site.open(options);
    await driver.declare(topic, group);
    await driver.publish(topic, texts(250));
    const stop = new AbortController();
    const iterator = driver.consume(topic, group, { prefetch, signal: stop.signal })[Symbol.asyncIterator]();
    onTestFinished(async () => {
      stop.abort();
      await iterator.return!().catch(() => {});
    });
    const next = async (): Promise<Delivery> => (await iterator.next()).value;
    const deliveries: Delivery[] = [];
    for (let n = 0; n < prefetch - kept; n++) deliveries.push(await next());
    let settled = 0;
    const acknowledge = async (count: number) => {
      const some = deliveries.slice(settled, settled + count);
      settled += count;
      await Promise.all(some.map(ack));
    };
    return { driver, prefix, stop, iterator, next, deliveries, acknowledge };
  }
});

async function has(
  driver: Driver,
  counts: { readonly active?: number; readonly waiting?: number },
): Promise<void> {
  expect(await driver.stats!(topic, group)).toMatchObject(counts);
}
