import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { GroupGoneError } from '../../src/errors.ts';
import { ack, group, message, read, StreamsSite, soon, topic } from './site.ts';

describeWith([{ own: 'redis' }], 'pause and cancel on Redis Streams', () => {
  const site = new StreamsSite();

  it('a message that waits is canceled for one group, and comes to the others', async () => {
    const { driver, prefix } = site.open();
    for (const name of ['one', 'two']) await driver.declare(topic, name);
    const batch = ['a', 'b', 'c', 'd'].map(text => message(text));
    await driver.publish(topic, batch);
    expect(await driver.cancel!(topic, 'one', batch[1]!.id)).toBe(true);
    expect(await driver.cancel!(topic, 'one', batch[1]!.id)).toBe(false);
    expect(await driver.find!(topic, 'one', batch[1]!.id)).toBeUndefined();
    expect((await driver.find!(topic, 'two', batch[1]!.id))?.state).toBe('waiting');
    expect(await driver.stats!(topic, 'one')).toMatchObject({ waiting: 3 });
    const [one, two] = [read(driver, 'one', ack), read(driver, 'two', ack)];
    await Promise.all([one.has(3), two.has(4)]);
    await driver.publish(topic, [message('e')]);
    await Promise.all([one.has(4), two.has(5)]);
    expect(one.texts()).toEqual(['a', 'c', 'd', 'e']);
    expect(two.texts()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect((await site.keysOf(prefix)).filter(name => /^(aside|c):/.test(name))).toEqual([]);
  });

  it('a delayed message is canceled for one group, and comes to the others', async () => {
    const { driver, prefix } = site.open();
    for (const name of ['one', 'two']) await driver.declare(topic, name);
    const [later, gone] = [message('later', { delayMs: 100 }), message('gone', { delayMs: 100 })];
    await driver.publish(topic, [later, gone, message('last', { delayMs: 200 })]);
    expect(await driver.cancel!(topic, 'one', later.id)).toBe(true);
    expect(await driver.cancel!(topic, 'one', later.id)).toBe(false);
    expect(await driver.find!(topic, 'one', later.id)).toBeUndefined();
    expect((await driver.find!(topic, 'two', later.id))?.state).toBe('delayed');
    for (const name of ['one', 'two']) expect(await driver.cancel!(topic, name, gone.id)).toBe(true);
    const [one, two] = [read(driver, 'one', ack), read(driver, 'two', ack)];
    await Promise.all([one.has(1), two.has(2)]);
    expect(one.texts()).toEqual(['last']);
    expect(two.texts()).toEqual(['later', 'last']);
    expect((await site.keysOf(prefix)).filter(name => /^(aside|c):|^z/.test(name))).toEqual([]);
  });

  it('a canceled message of a paused group stays away when the group goes on', async () => {
    const { driver } = site.open();
    await driver.declare(topic, group);
    await driver.pause!(topic, group);
    const [a, b, c] = [message('a'), message('b'), message('c')];
    await driver.publish(topic, [a, b, c]);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 3 });
    expect(await driver.cancel!(topic, group, b.id)).toBe(true);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 2 });
    await driver.resume!(topic, group);
    const reader = read(driver, group, ack);
    await reader.has(2);
    expect(reader.texts()).toEqual(['a', 'c']);
  });

  it('what waits for a paused group is not trimmed, and a group that is made anew is not paused', async () => {
    const { driver, prefix } = site.open();
    for (const name of [group, 'other']) await driver.declare(topic, name);
    await driver.publish(topic, [message('before')]);
    const reader = read(driver, group, ack);
    await reader.has(1);
    await driver.pause!(topic, group);
    const batch = Array.from({ length: 300 }, (_, n) => message(`${n}`));
    await driver.publish(topic, batch);
    const other = read(driver, 'other', ack);
    await other.has(301);
    const trims = async () =>
      Number(/cmdstat_xtrim:calls=(\d+)/.exec(await site.admin.info('commandstats'))?.[1] ?? 0);
    const before = await trims();
    await soon(async () => expect(await trims()).toBeGreaterThan(before + 2));
    await driver.resume!(topic, group);
    await reader.has(301);
    expect(reader.texts().slice(1)).toEqual(batch.map(({ body }) => Buffer.from(body).toString()));
    await driver.pause!(topic, group);
    await Promise.all([reader.end(), other.end()]);
    await site.admin.del(`{${prefix}:${topic}}:s`);
    await expect(driver.pause!(topic, group)).rejects.toThrow(GroupGoneError);
    await expect(driver.find!(topic, group, 'any')).rejects.toThrow(GroupGoneError);
    await driver.declare(topic, group);
    await driver.publish(topic, [message('after')]);
    const again = read(driver, group, ack);
    await again.has(1);
    expect(again.texts()).toEqual(['after']);
  });

  it('a group is read by the server itself again when a canceled message was deleted by somebody', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const batch = ['a', 'b', 'c'].map(text => message(text));
    await driver.publish(topic, batch);
    expect(await driver.cancel!(topic, group, batch[1]!.id)).toBe(true);
    const stream = `{${prefix}:${topic}}:s`;
    for (const [entry] of (await site.admin.xrange(stream, '-', '+')).slice(1)) {
      await site.admin.xdel(stream, entry);
    }
    expect(await driver.find!(topic, group, batch[2]!.id)).toBeUndefined();
    expect(await driver.cancel!(topic, group, batch[2]!.id)).toBe(false);
    const reader = read(driver, group, ack);
    await reader.has(1);
    const isAside = async () => (await site.keysOf(prefix)).filter(name => /^(aside|c):/.test(name));
    await driver.publish(topic, [message('d')]);
    await soon(async () => expect(await isAside()).toEqual([]));
    await reader.has(2);
    expect(reader.texts()).toEqual(['a', 'd']);
  });
});
