import assert from 'node:assert/strict';
import { oddTexts } from '../odd-texts.ts';
import {
  drain,
  drainOnce,
  group,
  message,
  Reader,
  send,
  type Tests,
  times,
  topic,
  unhurried,
  until,
} from '../subject.ts';

export const uniqueIdsTests: Tests = {
  'the same id again is the same message': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const twice = message('twice');
    await send(driver, topic, twice);
    await send(driver, topic, twice, message('other'), twice);
    const first = await drain(subject, driver, topic, group, 2);
    assert.deepEqual(first.sort(), ['other', 'twice']);
    await send(driver, topic, twice, message('last'));
    assert.deepEqual(await drain(subject, driver, topic, group, 1), ['last']);
  },
  'an id that is named again and again in one batch is the first of its messages': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const ids = times(60, index => oddTexts[index % 12]!);
    const batch = ids.map((id, index) => ({ ...message(`${index}`), id, key: `key ${index % 5}` }));
    for (const published of await driver.publish(topic, batch)) assert(published.ok);
    await send(driver, topic, message('last'));
    const expected = [...times(12, index => `${index}`), 'last'].sort();
    assert.deepEqual(await drainOnce(subject, driver, expected.length), expected);
  },
};

export const deduplicationTests: Tests = {
  'simple: while a message with the key is not settled, no other comes': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const deduplication = { key: 'report', mode: 'simple' } as const;
    const publish = (text: string) => driver.publish(topic, [message(text, { deduplication })]);
    assert.deepEqual(await publish('first'), [{ ok: true }]);
    assert.deepEqual(await publish('dropped while it waits'), [{ ok: true, isDuplicate: true }]);
    await using reader = new Reader(driver, topic, group, { prefetch: 5 });
    await reader.has(subject, 1);
    assert.deepEqual(await publish('dropped while it runs'), [{ ok: true, isDuplicate: true }]);
    await reader.received[0]!.nack({ requeueAfterMs: 0 });
    await reader.has(subject, 2);
    assert.deepEqual(await publish('dropped while it is tried again'), [{ ok: true, isDuplicate: true }]);
    await reader.received[1]!.ack();
    assert.deepEqual(await publish('second'), [{ ok: true }]);
    await (await reader.has(subject, 3))[2]!.nack({ dead: 'for the test' });
    assert.deepEqual(await publish('third'), [{ ok: true }]);
    await (await reader.has(subject, 4))[3]!.ack();
    assert.deepEqual(reader.texts, ['first', 'first', 'second', 'third']);
  },
  'simple: a dead letter is sent again beside another of its key, and each is handled': async subject => {
    const { driver } = subject;
    if (!driver.capabilities.deadLetters) return;
    await driver.declare(topic, group);
    const deduplication = { key: 'report', mode: 'simple' } as const;
    const publish = async (text: string) =>
      (await driver.publish(topic, [message(text, { deduplication })]))[0]!;
    await publish('first');
    const dying = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'for the test' }) });
    await until(subject, async () => (await driver.inspect!(topic, group, { limit: 1 })).length === 1);
    await dying[Symbol.asyncDispose]();
    assert.deepEqual(await publish('second'), { ok: true });
    assert.equal(await driver.redrive!(topic, group, {}), 1);
    assert.deepEqual(await publish('dropped while the second waits'), { ok: true, isDuplicate: true });
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await reader.has(subject, 2);
    assert.deepEqual(reader.texts.toSorted(), ['first', 'second']);
    await until(subject, async () => {
      const published = await publish('third');
      return published.ok && published.isDuplicate !== true;
    });
    await reader.has(subject, 3);
    assert.equal(reader.texts[2], 'third');
  },
  'throttle: the first, and then none for its time': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await unhurried(subject, async (ttlMs, number) => {
      const deduplication = { key: `report ${number}`, mode: 'throttle', ttlMs } as const;
      const publish = async (text: string) =>
        (await driver.publish(topic, [message(`${number} ${text}`, { deduplication })]))[0]!;
      const own = () => reader.texts.filter(text => text.startsWith(`${number} `));
      const startedAt = performance.now();
      assert.deepEqual(await publish('first'), { ok: true });
      await until(subject, () => own().length === 1, 'the first');
      const dropped = await publish('dropped');
      const tookMs = performance.now() - startedAt;
      await until(
        subject,
        async () => (await publish('second')).ok && own().includes(`${number} second`),
        'another after the time',
      );
      const check = () => {
        assert.deepEqual(dropped, { ok: true, isDuplicate: true });
        assert.deepEqual(own().slice(0, 2), [`${number} first`, `${number} second`]);
      };
      return { tookMs, check };
    });
  },
  'debounce: the last, after its time': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await unhurried(subject, async (ttlMs, number) => {
      const own = () => reader.texts.filter(text => text.startsWith(`${number} `));
      const sendBy = (key: string, text: string) => {
        const deduplication = { key: `${key} ${number}`, mode: 'debounce', ttlMs } as const;
        return send(driver, topic, message(`${number} ${text}`, { deduplication }));
      };
      const startedAt = performance.now();
      for (const text of ['a', 'ab', 'abc']) await sendBy('search', text);
      const tookMs = performance.now() - startedAt;
      await until(subject, () => own().includes(`${number} abc`), 'the last');
      await sendBy('other', 'other');
      await until(subject, () => own().includes(`${number} other`), 'another');
      const check = () => assert.deepEqual(own(), [`${number} abc`, `${number} other`]);
      return { tookMs, check };
    });
  },
  'a key is free again after its consumer died and the message was handled': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const deduplication = { key: 'report', mode: 'simple' } as const;
    await send(driver, topic, message('orphan', { deduplication }));
    const dead = new Reader(driver, topic, group, { prefetch: 1 });
    await dead.has(subject, 1);
    await dead[Symbol.asyncDispose]();
    await using living = new Reader(driver, topic, group, { each: each => each.ack() });
    await living.has(subject, 1);
    // It is in hands, and soon acknowledged
    await until(subject, async () => {
      const [published] = await driver.publish(topic, [message('next', { deduplication })]);
      return published?.ok === true && published.isDuplicate !== true;
    });
    await living.has(subject, 2);
    assert.deepEqual(living.texts, ['orphan', 'next']);
  },
  'a key is free when the time of its message is over, whether somebody looks or not': async subject => {
    const { driver } = subject;
    if (!driver.capabilities.expiry) return;
    await driver.declare(topic, group);
    const deduplication = { key: 'report', mode: 'simple' } as const;
    const publish = async (text: string) =>
      (await driver.publish(topic, [message(text, { deduplication, expiresInMs: 50 })]))[0]!;
    assert.deepEqual(await publish('first'), { ok: true });
    await until(subject, async () => {
      const published = await publish('next');
      return published.ok && published.isDuplicate !== true;
    });
  },
};
