import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { DeliveryLostError } from '../../src/index.ts';
import { ack, group, message, read, StreamsSite, soon, topic } from './site.ts';

const keep = async () => {};
const ordered = { ordered: true };

describeWith([{ own: 'redis' }], 'sharing by keys on Redis Streams', () => {
  const site = new StreamsSite();

  it('a consumer that does not share by keys takes what others have filed', async () => {
    const { driver } = site.open();
    await driver.declare(topic, group);
    const batch = Array.from({ length: 400 }, (_, n) => message(`${n}`, { key: `${n % 3}` }));
    await driver.publish(topic, batch);
    const sharing = read(driver, group, keep, ordered);
    await sharing.has(3);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 397, active: 3 });
    expect(await driver.find!(topic, group, batch[3]!.id)).toMatchObject({ state: 'waiting', deliveries: 0 });
    expect(await driver.cancel!(topic, group, batch[3]!.id)).toBe(true);
    await sharing.end();
    const plain = read(driver, group, ack);
    await plain.has(396);
    expect(plain.received.every(({ deliveries }) => deliveries === 1)).toBe(true);
    for (const each of sharing.received) await each.ack();
    await plain.end();
    expect(await driver.stats!(topic, group)).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
    // What they have settled holds up no key
    const others = read(driver, group, ack, ordered);
    await driver.publish(
      topic,
      batch.map((_, n) => message(`again ${n}`, { key: `${n % 3}` })),
    );
    await others.has(400);
  });

  it('the backlog of a key is sorted while all places are taken, so that another has its turn next', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const backlog = Array.from({ length: 2_000 }, (_, n) => message(`${n}`, { key: 'a' }));
    await driver.publish(topic, [...backlog, message('other', { key: 'b' })]);
    const reader = read(driver, group, keep, { fair: true, prefetch: 1 });
    await reader.has(1);
    const lane = `{${prefix}:${topic}}:l:${group.length}:${group}:kb`;
    await soon(async () => expect(await site.admin.llen(lane)).toBe(1));
    // One of `a` may already have its turn
    for (let n = 0; n < 2; n++) {
      await reader.received[n]!.ack();
      await reader.has(n + 2);
    }
    expect(reader.texts()).toContain('other');
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 1_998, active: 1 });
  });

  it('what its consumer has lost comes first again, and nothing of its key before', async () => {
    const { driver } = site.open({ leaseMs: 1_000 });
    await driver.declare(topic, group);
    await driver.publish(
      topic,
      ['a1', 'a2', 'a3'].map(text => message(text, { key: 'a' })),
    );
    const lost = read(driver, group, keep, ordered);
    await lost.has(1);
    await lost.end();
    const living = read(driver, group, ack, ordered);
    await living.has(3);
    expect(living.texts()).toEqual(['a1', 'a2', 'a3']);
    expect(living.received.map(({ deliveries }) => deliveries)).toEqual([2, 1, 1]);
    await expect(lost.received[0]!.ack()).rejects.toThrow(DeliveryLostError);
  });

  it('a key goes on when something else has taken away what it waited for', async () => {
    const { driver, prefix } = site.open({ leaseMs: 1_000 });
    await driver.declare(topic, group);
    await driver.publish(
      topic,
      ['a1', 'a2', 'a3'].map(text => message(text, { key: 'a' })),
    );
    const reader = read(driver, group, keep, ordered);
    await reader.has(1);
    const stream = `{${prefix}:${topic}}:s`;
    const [[entry]] = (await site.admin.xpending(stream, group, '-', '+', 1)) as [[string]];
    await site.admin.xack(stream, group, entry);
    await reader.has(2);
    await reader.received[1]!.nack({ requeueAfterMs: 60_000 });
    expect(await driver.cancel!(topic, group, reader.received[1]!.id)).toBe(true);
    await reader.has(3);
    expect(reader.texts()).toEqual(['a1', 'a2', 'a3']);
  });

  it('nothing stays of keys whose messages are handled', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const limits = {
      keyConcurrency: 1,
      keyRate: { count: 50, perMs: 100 },
      rate: { count: 900, perMs: 100 },
    };
    const reader = read(driver, group, ack, { fair: true, limits });
    await driver.publish(
      topic,
      Array.from({ length: 300 }, (_, n) => message(`${n}`, { key: `key ${n}` })),
    );
    await reader.has(300);
    await reader.end();
    const ofKeys = /^(l|rate|ring|blocked|hands|busy):/;
    const left = async () => (await site.keysOf(prefix)).filter(name => ofKeys.test(name));
    await soon(async () => expect(await left()).toEqual([]));
  });

  it('one key at a time comes without a wait: what settles it wakes the consumer', async () => {
    const { driver } = site.open();
    await driver.declare(topic, group);
    const batch = Array.from({ length: 200 }, (_, n) => message(`${n}`, { key: 'only' }));
    await driver.publish(topic, batch);
    const reader = read(driver, group, ack, ordered);
    // By looks alone, one each half second, this takes longer than is waited for
    await reader.has(200);
    expect(reader.texts()).toEqual(batch.map((_, n) => `${n}`));
  });
});
