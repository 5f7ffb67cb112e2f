import { describeWith } from '@workspace/services/vitest';
import { expect, it } from 'vitest';
import { type Deduplication, messages, Queue } from '../../../src/index.ts';
import { ack, group, message, read, StreamsSite, soon, textOf, topic } from '../site.ts';

/** What users of queues over Redis have reported of what is settled, taken away, paused or dead, tried here. */

describeWith([{ own: 'redis' }], 'reports of settling', () => {
  const site = new StreamsSite();

  it('large dead letters are sent again a few at a time, so that no script holds up the server for long (taskforcesh/bullmq 4608, taskforcesh/bullmq 265)', async () => {
    const { driver } = site.open({ timeoutMs: 60_000 });
    await driver.declare(topic, group);
    const body = Buffer.alloc(3_000_000);
    const letters = Array.from({ length: 8 }, (_, n) => ({ ...message(`${n}`), body }));
    for (const letter of letters) await driver.publish(topic, [letter]);
    const ids = letters.map(({ id }) => id);
    for (const selection of [{}, { ids }]) {
      const dying = read(driver, group, delivery => delivery.nack({ dead: 'for the test' }), { prefetch: 1 });
      await dying.has(letters.length);
      await soon(async () =>
        expect(await driver.stats!(topic, group)).toMatchObject({ dead: letters.length }),
      );
      await dying.end();
      await site.admin.config('RESETSTAT');
      expect(await driver.redrive!(topic, group, selection)).toBe(letters.length);
      const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(await site.admin.info('commandstats'))!;
      expect(Number(calls), JSON.stringify(selection)).toBeGreaterThanOrEqual(3);
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: letters.length, dead: 0 });
    }
  });

  for (const how of [{}, { ordered: true }]) {
    it(`all that a dead consumer had comes back, and nothing of it stays ${JSON.stringify(how)} (ThreeDotsLabs/watermill-redisstream 24, cssbruno/GoWDK 197)`, async () => {
      const { driver, prefix } = site.open({ leaseMs: 1_000 });
      await driver.declare(topic, group);
      const texts = Array.from({ length: 20 }, (_, n) => `${n}`);
      await driver.publish(
        topic,
        texts.map(text => message(text, { key: text })),
      );
      // It settles nothing, and ends: as a process that dies
      const dying = read(driver, group, async () => {}, { prefetch: 20, ...how });
      await dying.has(20);
      await dying.end();
      const living = read(driver, group, ack, { prefetch: 5, ...how });
      await soon(async () => expect(new Set(living.texts())).toEqual(new Set(texts)));
      await soon(async () =>
        expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0, dead: 0 }),
      );
      await living.end();
      for (const stream of ['s', `r:${group}`]) {
        const consumers = await site.admin.xinfo('CONSUMERS', `{${prefix}:${topic}}:${stream}`, group);
        const names = (consumers as string[][]).map(fields => fields[fields.indexOf('name') + 1]);
        // What files, and the one that has died, until it was silent for an hour
        expect(names.filter(name => name !== '~').length).toBeLessThanOrEqual(1);
      }
    });

    it(`consumers that come and go leave no name behind ${JSON.stringify(how)} (redis/redis 11567)`, async () => {
      const { driver, prefix } = site.open();
      await driver.declare(topic, group);
      for (let n = 0; n < 5; n++) {
        await driver.publish(topic, [message(`${n}`, { key: 'k' })]);
        const reading = read(driver, group, ack, { prefetch: 3, ...how });
        await reading.has(1);
        await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ active: 0 }));
        await reading.end();
      }
      for (const stream of ['s', `r:${group}`]) {
        const consumers = await site.admin.xinfo('CONSUMERS', `{${prefix}:${topic}}:${stream}`, group);
        const names = (consumers as string[][]).map(fields => fields[fields.indexOf('name') + 1]);
        expect(names.filter(name => name !== '~')).toEqual([]);
      }
    });

    it(`what comes back while a group is paused waits for its end, however it comes back ${JSON.stringify(how)} (OptimalBits/bull 247, OptimalBits/bull 447, OptimalBits/bull 1087)`, async () => {
      const { driver, prefix } = site.open({ leaseMs: 1_000 });
      const stream = `{${prefix}:${topic}}:s`;
      await driver.declare(topic, group);
      await driver.publish(topic, [message('lost', { key: '1' }), message('failed', { key: '2' })]);
      const dying = read(driver, group, async () => {}, { prefetch: 2, ...how });
      await dying.has(2);
      const failed = dying.received.find(each => textOf(each) === 'failed')!;
      await driver.pause!(topic, group);
      await failed.nack({ requeueAfterMs: 50 });
      await dying.end();
      await driver.publish(topic, [
        message('delayed', { delayMs: 50, key: '3' }),
        message('new', { key: '4' }),
      ]);
      const living = read(driver, group, ack, { prefetch: 5, ...how });
      // All that was held back is due, and the lease of the lost one is over: only the pause holds them up
      await soon(async () =>
        expect(await driver.stats!(topic, group)).toMatchObject({ delayed: 0, dead: 0 }),
      );
      await soon(async () => {
        const [[, , idleMs]] = (await site.admin.xpending(stream, group, '-', '+', 1)) as [
          [string, string, number],
        ];
        expect(idleMs).toBeGreaterThan(3_000);
      });
      expect(living.texts()).toEqual([]);
      await driver.resume!(topic, group);
      await soon(async () => expect(living.texts().sort()).toEqual(['delayed', 'failed', 'lost', 'new']));
    });

    it(`messages of a key go on when one that waits among them is replaced or canceled ${JSON.stringify(how)} (avifenesh/glide-mq 206)`, async () => {
      const { driver } = site.open();
      await driver.declare(topic, group);
      const deduplication: Deduplication = { key: 'd', mode: 'debounce', ttlMs: 10 };
      const publish = (text: string, more = {}) =>
        driver.publish(topic, [message(text, { key: 'k', ...more })]);
      const first = read(driver, group, async () => {}, { prefetch: 10, ...how });
      await publish('a');
      await first.has(1);
      await publish('old', { deduplication });
      await publish('b');
      // It is due, and waits among the others
      await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ delayed: 0 }));
      await publish('new', { deduplication });
      const canceled = message('canceled', { key: 'k' });
      await driver.publish(topic, [canceled]);
      await publish('c');
      if (how.ordered) expect(await driver.cancel!(topic, group, canceled.id)).toBe(true);
      await first.received[0]!.ack();
      const wanted = ['a', 'b', 'c', 'new'];
      await soon(async () => {
        await Promise.all(first.received.map(ack));
        expect(first.texts()).toEqual(expect.arrayContaining(wanted));
      });
      if (how.ordered) expect(first.texts().sort()).toEqual(wanted);
    });
  }

  it('a dead letter whose content is gone hides no other (Automattic/kue 197, taskforcesh/bullmq 248)', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const all = Array.from({ length: 130 }, (_, n) => message(`${n}`));
    await driver.publish(topic, all);
    await read(driver, group, each => each.nack({ dead: 'for the test' })).has(130);
    await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ dead: 130 }));
    const [first, second] = await driver.inspect!(topic, group, { limit: 2 });
    await site.admin.hdel(`{${prefix}:${topic}}:dead:${group}`, first!.id);
    const page = await driver.inspect!(topic, group, { limit: 5 });
    expect(page).toHaveLength(5);
    expect(page[0]!.id).toBe(second!.id);
    const queue = new Queue(driver, { messages: messages<{ work: string }>() });
    let listed = 0;
    for await (const _ of queue.dead('work', group)) listed++;
    expect(listed).toBe(129);
    expect(await driver.purge!(topic, group, {})).toBe(129);
    expect(await driver.stats!(topic, group)).toMatchObject({ dead: 0 });
  });

  it('dead letters beyond the most that are kept leave nothing behind (hibiken/asynq 803, hibiken/asynq 885)', async () => {
    const { driver, prefix } = site.open({ maxDead: 5, deduplicationMs: 1_000 });
    await driver.declare(topic, group);
    const all = Array.from({ length: 40 }, (_, n) => message(`${n}`, { key: `${n}` }));
    await driver.publish(topic, all);
    const failing = read(driver, group, each => each.nack(each.failures === 0 ? {} : { dead: 'twice' }), {
      prefetch: 1,
      ordered: true,
    });
    await soon(async () => expect(failing.received.length).toBe(80));
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 5 }),
    );
    await failing.end();
    expect(await driver.find!(topic, group, all[0]!.id)).toBeUndefined();
    expect(await driver.purge!(topic, group, { ids: [all[0]!.id] })).toBe(0);
    expect(await driver.redrive!(topic, group, { ids: [all[0]!.id] })).toBe(0);
    expect(await site.admin.hlen(`{${prefix}:${topic}}:dead:${group}`)).toBe(5);
    const kept = await site.keysOf(prefix);
    const ofMessages = kept.filter(name => /^(j|g|dk|hands|busy|l|p):?/.test(name.replace(/^bell.*/, '')));
    expect(ofMessages).toEqual([]);
  });

  it('a delayed message that one group has canceled counts for the others alone (resque/resque-scheduler 499)', async () => {
    const { driver } = site.open();
    for (const each of [group, 'other']) await driver.declare(topic, each);
    const delayed = message('delayed', { delayMs: 600_000 });
    await driver.publish(topic, [delayed, message('too', { delayMs: 600_000 })]);
    expect(await driver.cancel!(topic, group, delayed.id)).toBe(true);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, delayed: 1 });
    expect(await driver.stats!(topic, 'other')).toMatchObject({ waiting: 0, delayed: 2 });
  });
});
