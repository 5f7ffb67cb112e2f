import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { type Driver, messages, Queue } from '../../src/index.ts';
import { ack, group, message, read, StreamsSite, soon, topic } from './site.ts';

/** What users of queues over Redis have reported of servers that are full, fail over or are meddled with, tried here. */

describeWith({ own: 'redis' }, 'reports of Redis Streams', () => {
  const site = new StreamsSite();

  /** Until the server has memory again. */
  async function fill(driver: Driver): Promise<number> {
    const used = Number(/used_memory:(\d+)/.exec(await site.admin.info('memory'))![1]);
    await site.admin.config('SET', 'maxmemory', String(used + 4_000_000));
    onTestFinished(async () => void (await site.admin.config('SET', 'maxmemory', '0')));
    const body = Buffer.alloc(50_000);
    for (let count = 0; ; count++) {
      const [published] = await driver.publish(topic, [{ ...message('large'), body, key: `k${count % 3}` }]);
      if (published!.ok) continue;
      expect(published).toMatchObject({ outcome: 'NotExecuted', error: { retryable: true } });
      return count;
    }
  }

  for (const how of [{}, { ordered: true }, { fair: true }]) {
    it(`a server without memory is emptied by who begins to consume ${JSON.stringify(how)}, and takes messages again (OptimalBits/bull 433, durabullhq/durabull 64)`, async () => {
      const { driver, prefix } = site.open();
      await driver.declare(topic, group);
      const count = await fill(driver);
      const { driver: fresh } = site.open({ prefix });
      await fresh.declare(topic, group);
      const failed = new Set<string>();
      const reading = read(
        fresh,
        group,
        async delivery => {
          // Each fails once, which writes it anew
          if (failed.size === failed.add(delivery.id).size) await delivery.ack();
          else await delivery.nack({ requeueAfterMs: 1 });
        },
        { prefetch: 10, ...how },
      );
      await reading.has(2 * count);
      await soon(async () => expect(await driver.publish(topic, [message('small')])).toEqual([{ ok: true }]));
    });
  }

  it('a server that is a replica for a while, forgets its scripts and ends waits is gone on with (taskforcesh/bullmq 648, bee-queue/bee-queue 489, Openpanel-dev/groupmq 16)', async () => {
    const { driver } = site.open();
    const queue = new Queue(driver, { messages: messages<{ work: string }>() });
    onTestFinished(() => queue.close());
    const handled: string[] = [];
    await queue.subscribe('work', text => void handled.push(text), { group });
    const next = async (text: string) => {
      await soon(async () => void (await queue.publish('work', text)));
      await soon(async () => expect(handled).toContain(text));
    };
    await next('before');
    await site.admin.replicaof('127.0.0.1', '1');
    onTestFinished(async () => void (await site.admin.replicaof('NO', 'ONE')));
    await expect(queue.publish('work', 'meanwhile')).rejects.toMatchObject({ outcome: 'NotExecuted' });
    await site.admin.replicaof('NO', 'ONE');
    await next('primary again');
    await site.admin.script('FLUSH');
    await next('without its scripts');
    await soon(async () => {
      const waiting = /^id=(\d+) .*cmd=xreadgroup/m.exec((await site.admin.client('LIST')) as string);
      expect(await site.admin.client('UNBLOCK', Number(waiting![1]), 'ERROR')).toBe(1);
    });
    await next('after its wait was ended');
    expect(handled).not.toContain('meanwhile');
  });

  it('a server that cannot save refuses messages, and what is handled meanwhile is handled once', async () => {
    const { driver } = site.open();
    const queue = new Queue(driver, { messages: messages<{ work: string }>() });
    onTestFinished(() => queue.close());
    const calls: string[] = [];
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    const subscription = await queue.subscribe(
      'work',
      async text => {
        calls.push(text);
        if (text !== 'after') await released;
        if (text === 'bad') throw new Error('bad');
      },
      { group, concurrency: 2, attempts: 1 },
    );
    await queue.publish('work', 'good');
    await queue.publish('work', 'bad');
    await soon(async () => expect(calls).toEqual(['good', 'bad']));
    const mend = await site.failToSave();
    const cause = expect.objectContaining({ message: expect.stringContaining('MISCONF') });
    await expect(queue.publish('work', 'refused')).rejects.toMatchObject({ outcome: 'NotExecuted', cause });
    release();
    await expect(queue.publish('work', 'refused')).rejects.toMatchObject({ outcome: 'NotExecuted' });
    await mend();
    await soon(async () => expect(subscription.snapshot()).toMatchObject({ handled: 1, dead: 1, lost: 0 }));
    await queue.publish('work', 'after');
    await soon(async () => expect(calls).toEqual(['good', 'bad', 'after']));
    expect(await queue.dead('work', group).count()).toBe(1);
  });

  it('what others have cut off the stream is in nobody’s way (redis/redis 6199, redis/redis 10756)', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const texts = ['1', '2', '3', '4', '5', '6'];
    await driver.publish(
      topic,
      texts.map(text => message(text)),
    );
    const reading = read(driver, group, async () => {}, { prefetch: 3 });
    await reading.has(3);
    await site.admin.xtrim(`{${prefix}:${topic}}:s`, 'MAXLEN', '=', 1);
    const [first, second, third] = reading.received;
    await first!.ack();
    await second!.nack({ requeueAfterMs: 1 }); // Which is gone
    await third!.ack();
    await driver.publish(topic, [message('last')]);
    await soon(async () => expect(reading.texts()).toEqual(['1', '2', '3', '6', 'last']));
    await Promise.all(reading.received.slice(3).map(ack));
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0 }),
    );
  });

  for (const how of [{}, { fair: true }]) {
    it(`what other programs have written into the stream is handed out, and dies, like all else ${JSON.stringify(how)}`, async () => {
      const { driver, prefix } = site.open();
      await driver.declare(topic, group);
      const stream = `{${prefix}:${topic}}:s`;
      await site.admin.xadd(stream, '*', 'data', '{"to":"ada"}');
      await site.admin.xadd(stream, '*', 'data', '{"to":"ada"}');
      await site.admin.xadd(stream, '*', 'x', 'soon', 'm', 'short');
      await driver.publish(topic, [message('ours')]);
      const reading = read(driver, group, delivery => delivery.nack({ dead: 'no' }), how);
      await reading.has(4);
      const letters = () => driver.inspect!(topic, group, { limit: 9 });
      await soon(async () => expect(await letters()).toHaveLength(4));
      const ids = new Set(reading.received.map(({ id }) => id));
      expect(ids.size).toBe(4);
      expect(new Set((await letters()).map(({ id }) => id))).toEqual(ids);
      await reading.end();
      expect(await driver.redrive!(topic, group, {})).toBe(4);
      const again = read(driver, group, ack, how);
      await again.has(4);
      expect(new Set(again.received.map(({ id }) => id))).toEqual(ids);
    });
  }
});
