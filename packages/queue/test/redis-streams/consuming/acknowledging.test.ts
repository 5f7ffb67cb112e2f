import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { DeliveryLostError } from '../../../src/index.ts';
import { group, message, read, StreamsSite, soon, topic } from '../site.ts';

describeWith([{ own: 'redis' }], 'acknowledging on Redis Streams', () => {
  const site = new StreamsSite();

  it('a consumer whose lease is longer than another thinks learns that its delivery is lost', async () => {
    const patient = site.open({ leaseMs: 60_000 });
    const hasty = site.open({ prefix: patient.prefix, leaseMs: 200 });
    await patient.driver.declare(topic, group);
    await patient.driver.publish(topic, [message('one'), message('two')]);
    const first = read(patient.driver);
    await first.has(2);
    await first.received[0]!.ack();
    const second = read(hasty.driver);
    await second.has(1);
    await expect(first.received[1]!.ack()).rejects.toThrow(DeliveryLostError);
    await second.received[0]!.ack();
  });

  it('places are asked for again behind the acknowledgements that free them, and never before', async () => {
    const { driver } = site.open();
    const [prefetch, count] = [10, 200];
    await driver.declare(topic, group);
    await driver.publish(
      topic,
      Array.from({ length: count }, (_, n) => message(`${n}`)),
    );
    const monitor = await site.admin.duplicate().monitor();
    onTestFinished(() => monitor.disconnect());
    const seen: string[][] = [];
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args));
    const reading = read(driver, group, async each => void each.ack(), { prefetch });
    await reading.has(count);
    await reading.end();
    await soon(async () => expect(seen.some(([name]) => /^xgroup$/i.test(name!))).toBe(true));
    let [held, most, asked] = [0, 0, 0];
    for (const [name, ...args] of seen) {
      if (/^xack$/i.test(name!)) held -= args.length - 2;
      // What comes again is in the other stream: nothing does
      if (!/^xreadgroup$/i.test(name!) || !args.at(-2)!.endsWith(':s') || asked >= count) continue;
      const places = Number(args[args.indexOf('COUNT') + 1]);
      held += Math.min(places, count - asked);
      asked += places;
      most = Math.max(most, held);
    }
    expect([most, held]).toEqual([prefetch, 0]);
    expect(seen.filter(([name]) => /^(evalsha|xreadgroup)$/i.test(name!)).length).toBeLessThan(count / 2);
  });

  it('a consumer that has lost a delivery settles it no more, also after it has begun anew', async () => {
    const { driver } = site.open({ leaseMs: 1_000 });
    await driver.declare(topic, group);
    await driver.publish(topic, [message('one'), message('two')]);
    const stop = new AbortController();
    const stalled = driver
      .consume(topic, group, { prefetch: 2, signal: stop.signal })
      [Symbol.asyncIterator]();
    const { value: one } = await stalled.next();
    const { value: two } = await stalled.next();
    const other = read(driver);
    await other.has(2);
    await expect(two.ack()).rejects.toThrow(DeliveryLostError);
    await driver.publish(topic, [message('three'), message('four')]);
    const next = stalled.next();
    await other.has(3);
    await driver.publish(
      topic,
      Array.from({ length: 60 }, (_, n) => message(`more ${n}`)),
    );
    await next;
    await expect(one.ack()).rejects.toThrow(DeliveryLostError);
    for (const each of other.received) await each.ack().catch(() => {}); // Its lease may be over
    stop.abort();
    await stalled.return!();
  });
});
