import assert from 'node:assert/strict';
import { drain, message, Reader, send, type Tests, times, topic } from '../subject.ts';

export const fanoutTests: Tests = {
  'each group receives every message': async subject => {
    const { driver } = subject;
    for (const each of ['billing', 'mail', 'search']) await driver.declare(topic, each);
    await send(driver, topic, ...times(50, index => message(`${index}`)));
    for (const each of ['billing', 'mail', 'search']) {
      assert.equal(new Set(await drain(subject, driver, topic, each, 50)).size, 50);
    }
  },
  'what one group fails, no other receives again': async subject => {
    const { driver } = subject;
    await driver.declare(topic, 'failing');
    await driver.declare(topic, 'fine');
    await using fine = new Reader(driver, topic, 'fine', { each: each => each.ack() });
    await send(driver, topic, message('shared'));
    await using failing = new Reader(driver, topic, 'failing', { prefetch: 1 });
    for (let failures = 0; failures < 3; failures++) {
      await (await failing.has(subject, failures + 1))[failures]!.nack({ requeueAfterMs: 5 });
    }
    await (await failing.has(subject, 4))[3]!.nack({ dead: 'for the test' });
    await send(driver, topic, message('last'));
    await (await failing.has(subject, 5))[4]!.ack();
    await fine.has(subject, 2);
    assert.deepEqual(fine.texts, ['shared', 'last']);
  },
  'what one group has lost, or sends again from its dead letters, no other receives': async subject => {
    const { driver } = subject;
    await driver.declare(topic, 'losing');
    await driver.declare(topic, 'fine');
    await using fine = new Reader(driver, topic, 'fine', { each: each => each.ack() });
    await send(driver, topic, message('shared'));
    await fine.has(subject, 1);
    const dead = new Reader(driver, topic, 'losing', { prefetch: 1 });
    const [lost] = await dead.has(subject, 1);
    await dead[Symbol.asyncDispose]();
    // Without a lease it stays with the connection
    if (driver.leaseMs === undefined) await lost!.nack({ charge: false });
    await using living = new Reader(driver, topic, 'losing', { prefetch: 1 });
    const [found] = await living.has(subject, 1);
    if (driver.capabilities.deadLetters === true) {
      await found!.nack({ dead: 'for the test' });
      assert.equal(await driver.redrive!(topic, 'losing', {}), 1);
      await (await living.has(subject, 2))[1]!.ack();
    } else {
      await found!.ack();
    }
    await send(driver, topic, message('last'));
    await fine.has(subject, 2);
    assert.deepEqual(fine.texts, ['shared', 'last']);
  },
  'a group receives what is published after its declaration, by any process': async subject => {
    const { driver } = subject;
    const publisher = (await subject.other?.()) ?? driver;
    await driver.declare(topic, 'first');
    await send(publisher, topic, message('before'));
    await driver.declare(topic, 'second');
    await send(publisher, topic, message('after'));
    assert.deepEqual(await drain(subject, driver, topic, 'second', 1), ['after']);
    assert.deepEqual((await drain(subject, driver, topic, 'first', 2)).sort(), ['after', 'before']);
  },
};
