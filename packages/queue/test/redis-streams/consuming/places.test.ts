import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { group, message, read, StreamsSite, soon, textOf, topic } from '../site.ts';

const keep = async () => {};

describeWith([{ own: 'redis' }], 'places of a consumer of Redis Streams', () => {
  const site = new StreamsSite();

  it('one that has a single place claims one, though new messages and returned ones come at once', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    for (let round = 0; round < 12; round++) {
      const other = site.open({ prefix }).driver;
      await driver.publish(topic, [message('returned')]);
      const holder = read(other, group, keep, { prefetch: 1 });
      await holder.has(1);
      await holder.end();
      const one = read(driver, group, keep, { prefetch: 1 });
      await soon(async () => expect(await site.admin.client('LIST')).toMatch(/flags=b .*cmd=xreadgroup/));
      await driver.publish(topic, [message('first')]);
      await one.has(1);
      await driver.publish(topic, [message('new')]);
      await holder.received[0]!.nack({ requeueAfterMs: 0 });
      await one.received[0]!.ack();
      await one.has(2);
      await soon(async () =>
        expect(await driver.stats!(topic, group)).toMatchObject({ active: 1, waiting: 1 }),
      );
      expect(one.received).toHaveLength(2);
      await one.received[1]!.ack();
      await one.has(3);
      expect(one.received[2]!.deliveries + one.received[1]!.deliveries).toBe(3);
      expect(one.received.slice(1).map(textOf).sort()).toEqual(['new', 'returned']);
      await one.received[2]!.ack();
      await one.end();
    }
  });
});
