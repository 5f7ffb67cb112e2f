import assert from 'node:assert/strict';
import type { Delivery } from '../../driver.ts';
import {
  group,
  message,
  Reader,
  send,
  type Tests,
  textOf,
  times,
  topic,
  unhurried,
  until,
} from '../subject.ts';

export const orderedKeysTests: Tests = {
  'messages of a key come in order, one at a time': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const keys = times(8, index => `key ${index}`);
    for (let n = 0; n < 25; n++) {
      await send(driver, topic, ...keys.map(key => message(`${key}#${n}`, { key })));
    }
    const inHands = new Set<string>();
    const seen: string[] = [];
    const settled: Promise<void>[] = [];
    const take = async (
      delivery: { readonly key?: string | undefined; ack(): Promise<void> } & { body: Uint8Array },
    ) => {
      const key = delivery.key!;
      assert(!inHands.has(key), `two of ${key} at once`);
      inHands.add(key);
      seen.push(textOf(delivery));
      setImmediate(() => {
        inHands.delete(key);
        settled.push(delivery.ack());
      });
    };
    const other = (await subject.other?.()) ?? driver;
    await using one = new Reader(driver, topic, group, { prefetch: 10, ordered: true, each: take });
    await using two = new Reader(other, topic, group, { prefetch: 10, ordered: true, each: take });
    await until(subject, () => settled.length === 200, 'two hundred messages');
    await Promise.all(settled);
    assert.equal(one.error ?? two.error, undefined);
    for (const key of keys) {
      const mine = seen.filter(text => text.startsWith(`${key}#`));
      assert.deepEqual(
        mine,
        times(25, n => `${key}#${n}`),
      );
    }
  },
  'a failed message holds up its key, and no other': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await unhurried(subject, async pauseMs => {
      const at: number[] = [];
      const each = async (delivery: Delivery) => {
        if (at.push(performance.now()) === 1) await delivery.nack({ requeueAfterMs: pauseMs });
        else await delivery.ack();
      };
      await using reader = new Reader(driver, topic, group, { prefetch: 5, ordered: true, each });
      await send(driver, topic, message('a1', { key: 'a' }), message('a2', { key: 'a' }));
      await reader.has(subject, 1);
      await send(driver, topic, message('b1', { key: 'b' }));
      await reader.has(subject, 4);
      const check = () => assert.deepEqual(reader.texts, ['a1', 'b1', 'a1', 'a2']);
      return { tookMs: at[1]! - at[0]!, check };
    });
  },
  'a dead message lets its key go on': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { prefetch: 5, ordered: true });
    await send(driver, topic, message('a1', { key: 'a' }), message('a2', { key: 'a' }));
    await (await reader.has(subject, 1))[0]!.nack({ dead: 'for the test' });
    await (await reader.has(subject, 2))[1]!.ack();
    assert.deepEqual(reader.texts, ['a1', 'a2']);
  },
};

export const fairnessTests: Tests = {
  'a key with few messages does not wait for one with many': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, ...times(100, index => message(`big ${index}`, { key: 'big' })));
    await send(driver, topic, ...times(5, index => message(`small ${index}`, { key: 'small' })));
    await using reader = new Reader(driver, topic, group, {
      prefetch: 1,
      fair: true,
      each: each => each.ack(),
    });
    await reader.has(subject, 30);
    assert.equal(reader.texts.slice(0, 30).filter(text => text.startsWith('small')).length, 5);
    await reader.has(subject, 105);
    assert.equal(new Set(reader.texts).size, 105);
  },
  'without a second key, all places are used': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, ...times(20, index => message(`${index}`, { key: 'only' })));
    await using reader = new Reader(driver, topic, group, { prefetch: 20, fair: true });
    await reader.has(subject, 20);
    for (const each of reader.received) await each.ack();
  },
};
