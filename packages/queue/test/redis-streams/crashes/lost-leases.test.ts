import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { group, message, read, StreamsSite, soon, topic } from '../site.ts';

describeWith([{ own: 'redis' }], 'a lease on Redis Streams that has ended', () => {
  const site = new StreamsSite();

  it('is counted, also where the connection of its consumer was lost meanwhile', async () => {
    const { driver } = site.open({ leaseMs: 3_000 });
    await driver.declare(topic, group);
    await driver.publish(topic, [message('one')]);
    const reading = read(driver, group, async () => {}, { prefetch: 1 });
    await reading.has(1);
    const connections = async () =>
      String(await site.admin.client('LIST')).match(/name=ashlar-queue/g)?.length ?? 0;
    const areOpen = () => soon(async () => expect(await connections()).toBe(2));
    await areOpen();
    await site.admin.call('CLIENT', ['KILL', 'TYPE', 'normal']);
    await areOpen();
    await reading.has(2);
    expect(reading.received.slice(0, 2).map(({ deliveries }) => deliveries)).toEqual([1, 2]);
  });
});
