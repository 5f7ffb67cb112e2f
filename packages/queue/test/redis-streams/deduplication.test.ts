import { once } from 'node:events';
import { Peer } from '@workspace/faults';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import type { Deduplication, OutgoingMessage } from '../../src/index.ts';
import type { MortalOptions } from './crashes/mortal-process.ts';
import { ack, group, message, read, StreamsSite, soon, topic } from './site.ts';

const simple: Deduplication = { key: 'report', mode: 'simple' };

describeWith([{ own: 'redis' }], 'keys of deduplication on Redis Streams', () => {
  const site = new StreamsSite();

  it('a key is free when its message is canceled, expired, dead, or was deleted by somebody', async () => {
    const { driver, prefix } = site.open();
    await driver.declare(topic, group);
    const publish = async (more: Partial<OutgoingMessage> = {}) => {
      const each = message('keyed', { deduplication: simple, ...more });
      const [published] = await driver.publish(topic, [each]);
      return { id: each.id, isNew: published?.ok === true && published.isDuplicate !== true };
    };
    const waiting = await publish();
    expect((await publish()).isNew).toBe(false);
    await driver.cancel!(topic, group, waiting.id);
    const delayed = await publish({ delayMs: 60_000 });
    expect(delayed.isNew).toBe(true);
    await driver.cancel!(topic, group, delayed.id);
    // One that is over frees its key, whether somebody looks or not
    expect((await publish({ expiresInMs: 1 })).isNew).toBe(true);
    await soon(async () => expect((await publish({ expiresInMs: 1 })).isNew).toBe(true));
    const reader = read(driver);
    await soon(async () => expect((await publish()).isNew).toBe(true));
    await reader.has(1);
    await driver.cancel!(topic, group, reader.received[0]!.id);
    const dying = await publish();
    expect(dying.isNew).toBe(true);
    await reader.has(2);
    await reader.received[1]!.nack({ dead: 'for the test' });
    expect((await publish()).isNew).toBe(true);
    expect(await driver.redrive!(topic, group, {})).toBe(1);
    expect((await publish()).isNew).toBe(false);
    await reader.has(4);
    for (const each of reader.received.slice(2)) await each.ack();
    expect((await publish()).isNew).toBe(true);
    await reader.end();
    await site.admin.xtrim(`{${prefix}:${topic}}:r:${group}`, 'MAXLEN', 0);
    expect((await publish()).isNew).toBe(true);
  });

  it('a debounced message in hands is not replaced, and one that follows it comes', async () => {
    const { driver } = site.open();
    await driver.declare(topic, group);
    const deduplication: Deduplication = { key: 'search', mode: 'debounce', ttlMs: 30 };
    const reader = read(driver);
    await driver.publish(topic, [message('a', { deduplication })]);
    await reader.has(1);
    // At once, as the time of the first may be over before a busy machine has sent the second
    await driver.publish(
      topic,
      ['b', 'c'].map(text => message(text, { deduplication })),
    );
    await reader.has(2);
    await Promise.all(reader.received.map(ack));
    expect(reader.texts()).toEqual(['a', 'c']);
  });

  it('each group drops by itself, in batches with others', async () => {
    const { driver } = site.open();
    for (const name of ['one', 'two']) await driver.declare(topic, name);
    const one = read(driver, 'one', ack);
    const keyed = (text: string) => message(text, { deduplication: simple });
    const results = await driver.publish(topic, [message('x'), keyed('first'), message('y'), keyed('again')]);
    expect(results).toEqual([{ ok: true }, { ok: true }, { ok: true }, { ok: true, isDuplicate: true }]);
    await one.has(3);
    await soon(async () => expect((await driver.stats!(topic, 'one')).active).toBe(0));
    expect(await driver.publish(topic, [keyed('second')])).toEqual([{ ok: true }]);
    await one.has(4);
    const two = read(driver, 'two', ack);
    await two.has(3);
    expect(one.texts().sort()).toEqual(['first', 'second', 'x', 'y']);
    expect(two.texts().sort()).toEqual(['first', 'x', 'y']);
  });

  it.each([
    ['without an order', {}],
    ['in order of their keys, in turn', { ordered: true, fair: true }],
  ])(
    'nothing of a message stays after consumers were killed amid all kinds of settling, %s',
    async (_, sharing) => {
      const { driver, prefix } = site.open({ leaseMs: 300 });
      const leaseMs = 300;
      await driver.declare(topic, group);
      const keys = Array.from({ length: 20 }, (_, n) => `key ${n}`);
      const modes: Deduplication[] = [
        ...keys.map(key => ({ key, mode: 'simple' }) as const),
        ...keys.map(key => ({ key: `late ${key}`, mode: 'debounce', ttlMs: 20 }) as const),
      ];
      const publish = () =>
        driver.publish(topic, [
          ...modes.map(deduplication =>
            message('keyed', { deduplication, key: deduplication.key.slice(-3) }),
          ),
          ...keys.map(key => message(key, { key: key.slice(-3) })),
        ]);
      for (let round = 1; round <= 3; round++) {
        const options: MortalOptions = { port: site.server.port, prefix, leaseMs, sharing };
        const peer = new Peer<string>(new URL('crashes/mortal-process.ts', import.meta.url), options);
        onTestFinished(() => peer.end());
        const mortal = peer.process;
        const ended = once(mortal, 'exit');
        let taken = 0;
        mortal.on('message', () => {
          if (++taken % 20 === 0) void publish();
          if (taken === 60 + 17 * round) mortal.kill('SIGKILL');
        });
        await publish();
        await ended;
        expect(mortal.signalCode).toBe('SIGKILL');
      }
      await driver.purge!(topic, group, {});
      const heir = read(driver, group, ack, sharing);
      await soon(async () => {
        const none = { waiting: 0, delayed: 0, active: 0 };
        expect(await driver.stats!(topic, group)).toMatchObject(none);
      });
      await heir.end();
      // What tells of consumers is kept for an hour
      const lasting =
        /^(s|t|sure:group|r:group|ib|i:\d+|done:group|ended:group|keyed|turn:group|audit:group)$/;
      expect((await site.keysOf(prefix)).filter(name => !lasting.test(name))).toEqual([]);
      const published = await driver.publish(
        topic,
        modes.map(deduplication => message('free', { deduplication })),
      );
      expect(published.filter(each => each.ok && each.isDuplicate)).toEqual([]);
    },
  );
});
