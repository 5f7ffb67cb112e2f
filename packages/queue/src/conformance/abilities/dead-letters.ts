import assert from 'node:assert/strict';
import { oddTexts } from '../odd-texts.ts';
import {
  drain,
  drainOnce,
  group,
  isSettled,
  mayHaveEnded,
  message,
  Reader,
  type Subject,
  send,
  type Tests,
  textOf,
  times,
  topic,
  until,
} from '../subject.ts';

/** For drivers that keep dead letters. */
export const deadLetterTests: Tests = {
  'a dead letter keeps all that is known, and is not delivered': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const sent = message('doomed', { headers: { traceparent: 'abc' }, key: 'tenant' });
    await send(driver, topic, sent);
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    await (await reader.has(subject, 1))[0]!.nack({ requeueAfterMs: 0 });
    await (await reader.has(subject, 2))[1]!.nack({ dead: 'Error: no such order' });
    const letters = await driver.inspect!(topic, group, { limit: 10 });
    assert.equal(letters.length, 1);
    const [letter] = letters;
    assert.equal(textOf(letter!), 'doomed');
    assert.equal(letter!.id, sent.id);
    assert.equal(letter!.headers['traceparent'], 'abc');
    assert.equal(letter!.key, 'tenant');
    assert.equal(letter!.reason, 'Error: no such order');
    assert.equal(letter!.deliveries, 2);
    assert.equal(letter!.failures, 2);
    await send(driver, topic, message('next'));
    await (await reader.has(subject, 3))[2]!.ack();
    assert.equal(reader.texts[2], 'next');
  },
  'dead letters come page by page, oldest first': async subject => {
    const { driver } = subject;
    await bury(subject, 25);
    const found: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await driver.inspect!(topic, group, { limit: 10, after });
      found.push(...page.map(textOf));
      if (page.length < 10) break;
      after = page.at(-1)!.id;
    }
    assert.deepEqual(
      found,
      times(25, index => `${index}`),
    );
  },
  'dead letters are sent again with new budgets': async subject => {
    const { driver } = subject;
    await bury(subject, 5);
    const letters = await driver.inspect!(topic, group, { limit: 10 });
    const { id } = letters[1]!;
    assert.equal(await driver.redrive!(topic, group, { ids: [] }), 0);
    assert.equal(await driver.redrive!(topic, group, { ids: [id, 'no such id', id] }), 1);
    await using reader = new Reader(driver, topic, group);
    const [again] = await reader.has(subject, 1);
    assert.equal(textOf(again!), '1');
    assert.equal(again!.deliveries, 1);
    assert.equal(again!.failures ?? 0, 0);
    await again!.ack();
    assert.equal(await driver.redrive!(topic, group, { limit: 2 }), 2);
    assert.equal(await driver.redrive!(topic, group, {}), 2);
    assert.equal(await driver.redrive!(topic, group, {}), 0);
    for (const each of (await reader.has(subject, 5)).slice(1)) await each.ack();
    assert.deepEqual([...reader.texts].sort(), ['0', '1', '2', '3', '4']);
  },
  'dead letters of any id are found by it, sent again and deleted, also when it is named again and again':
    async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      await send(driver, topic, ...oddTexts.map(id => ({ ...message(id), id })));
      const startedAt = performance.now();
      const mayBeLost = () => mayHaveEnded(driver, startedAt);
      const dying = new Reader(driver, topic, group, {
        each: async each => void (await isSettled(each.nack({ dead: 'for the test' }), mayBeLost)),
      });
      const all = async () => driver.inspect!(topic, group, { limit: 1_000 });
      await until(subject, async () => (await all()).length === oddTexts.length, 'all dead letters');
      await dying[Symbol.asyncDispose]();
      assert.deepEqual((await all()).map(({ id }) => id).sort(), oddTexts.toSorted());
      assert.deepEqual(await driver.inspect!(topic, group, { limit: Number.MAX_SAFE_INTEGER }), await all());
      const order = (await all()).map(({ id }) => id);
      for (let at = 0; at < order.length; at += 7) {
        const [next] = await driver.inspect!(topic, group, { limit: 1, after: order[at]! });
        assert.equal(next?.id, order[at + 1]);
      }
      const [again, gone] = [order.slice(0, 40), order.slice(40)];
      const twice = (ids: readonly string[]) => [...ids, 'unheard of', ...ids, ...ids.slice(0, 3)];
      assert.equal(await driver.redrive!(topic, group, { ids: twice(again), limit: 2 }), 2);
      const limit = Number.MAX_SAFE_INTEGER;
      assert.equal(await driver.redrive!(topic, group, { ids: twice(again), limit }), again.length - 2);
      assert.equal(await driver.purge!(topic, group, { ids: twice(gone), limit: 1 }), 1);
      assert.equal(await driver.purge!(topic, group, { ids: twice(order) }), gone.length - 1);
      const texts = await drainOnce(subject, driver, again.length);
      assert.deepEqual(texts, again.toSorted());
      assert.equal(await driver.redrive!(topic, group, { limit }), 0);
      assert.equal(await driver.purge!(topic, group, { limit }), 0);
    },
  'purged dead letters are gone': async subject => {
    const { driver } = subject;
    await bury(subject, 4);
    const [first] = await driver.inspect!(topic, group, { limit: 1 });
    assert.equal(await driver.purge!(topic, group, { ids: [] }), 0);
    assert.equal(await driver.purge!(topic, group, { ids: [first!.id, first!.id] }), 1);
    assert.equal(await driver.purge!(topic, group, {}), 3);
    assert.deepEqual(await driver.inspect!(topic, group, { limit: 10 }), []);
    await send(driver, topic, message('alive'));
    assert.deepEqual(await drain(subject, driver, topic, group, 1), ['alive']);
  },
};

async function bury(subject: Subject, count: number): Promise<void> {
  const { driver } = subject;
  await driver.declare(topic, group);
  await using reader = new Reader(driver, topic, group, { prefetch: 1 });
  for (let index = 0; index < count; index++) {
    await send(driver, topic, message(`${index}`));
    await (await reader.has(subject, index + 1))[index]!.nack({ dead: 'for the test' });
  }
}
