import assert from 'node:assert/strict';
import type { Delivery } from '../../driver.ts';
import { DeliveryLostError } from '../../errors.ts';
import { oddTexts } from '../odd-texts.ts';
import { drainOnce, group, message, Reader, send, type Tests, textOf, topic, until } from '../subject.ts';

export const jobsTests: Tests = {
  'a message is known by its id, from its publishing to its end': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const find = async (id: string) => driver.find!(topic, group, id);
    const [now, later] = [message('now'), message('later', { delayMs: 60_000 })];
    assert.equal(await find(now.id), undefined);
    await send(driver, topic, now, later);
    assert.equal((await find(now.id))?.state, 'waiting');
    assert.equal((await find(later.id))?.state, 'delayed');
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    const [first] = await reader.has(subject, 1);
    await first!.progress!(new TextEncoder().encode('"half"'));
    const active = await find(now.id);
    assert.equal(active?.state, 'active');
    assert.equal(active.deliveries, 1);
    assert.equal(new TextDecoder().decode(active.progress), '"half"');
    await first!.nack({ requeueAfterMs: 60_000 });
    assert.equal((await find(now.id))?.state, 'delayed');
    assert.equal((await find(now.id))?.failures, 1);
    await send(driver, topic, message('done'), message('dead'));
    const [, second] = await reader.has(subject, 2);
    await second!.ack({ result: new TextEncoder().encode('42') });
    const done = await find(second!.id);
    assert.equal(done?.state, 'done');
    assert.equal(new TextDecoder().decode(done.result), '42');
    const [, , third] = await reader.has(subject, 3);
    await third!.nack({ dead: 'for the test' });
    const dead = await find(third!.id);
    assert.equal(dead?.state, 'dead');
    assert.equal(dead.reason, 'for the test');
  },
  'a canceled message does not come, and is lost to whom it was given': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const cancel = (id: string) => driver.cancel!(topic, group, id);
    const [waiting, delayed, active] = [
      message('waiting'),
      message('delayed', { delayMs: 50 }),
      message('active'),
    ];
    await send(driver, topic, active);
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    const [held] = await reader.has(subject, 1);
    await send(driver, topic, waiting, delayed, message('last', { delayMs: 200 }));
    assert.equal(await cancel(waiting.id), true);
    assert.equal(await cancel(delayed.id), true);
    assert.equal(await cancel(active.id), true);
    assert.equal(await cancel(active.id), false);
    assert.equal(await cancel('unheard of'), false);
    await assert.rejects(held!.ack(), DeliveryLostError);
    await (await reader.has(subject, 2))[1]!.ack();
    assert.deepEqual(reader.texts, ['active', 'last']);
  },
  'a message of any id is found and canceled by it': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, ...oddTexts.map(id => ({ ...message(id), id })));
    for (const id of oddTexts) assert.equal((await driver.find!(topic, group, id))?.state, 'waiting', id);
    const [canceled, kept] = [oddTexts.slice(0, 40), oddTexts.slice(40)];
    for (const id of canceled) assert.equal(await driver.cancel!(topic, group, id), true, id);
    for (const id of canceled) assert.equal(await driver.find!(topic, group, id), undefined, id);
    const result = new TextEncoder().encode('1');
    assert.deepEqual(await drainOnce(subject, driver, kept.length, { result }), kept.toSorted());
    for (const id of kept) {
      await until(subject, async () => (await driver.find!(topic, group, id))?.state === 'done', id);
    }
  },
  'a paused group is handed nothing, in any process, until it is resumed': async subject => {
    const { driver } = subject;
    const other = (await subject.other?.()) ?? driver;
    await driver.declare(topic, group);
    await driver.declare(topic, 'going');
    let acknowledges = false;
    const options = { each: async (each: Delivery) => (acknowledges ? each.ack() : undefined) };
    await using mine = new Reader(driver, topic, group, options);
    await using theirs = new Reader(other, topic, group, options);
    await using going = new Reader(driver, topic, 'going', { each: each => each.ack() });
    const received = () => [...mine.received, ...theirs.received];
    await send(driver, topic, message('held'), message('failing'), message('held too'));
    await until(subject, () => received().length === 3);
    acknowledges = true;
    await driver.pause!(topic, group);
    for (const each of received()) await (textOf(each) === 'failing' ? each.nack({}) : each.ack());
    await send(other, topic, message('new'), message('delayed', { delayMs: 20 }));
    // Looking for what nobody waits for: until another group has it all, for three times in turn
    for (const text of ['one', 'two', 'three']) {
      await send(driver, topic, message(text, { delayMs: 50 }));
      await until(subject, () => going.texts.includes(text), text);
    }
    assert.equal(received().length, 3);
    await other.resume!(topic, group);
    const expected = ['delayed', 'failing', 'failing', 'held', 'held too', 'new', 'one', 'three', 'two'];
    const texts = () => received().map(textOf).sort();
    await until(subject, () => received().length >= expected.length, 'what was held back');
    assert.deepEqual(texts(), expected);
  },
};
