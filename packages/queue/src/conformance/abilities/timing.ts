import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import {
  drain,
  drainOnce,
  group,
  isSettled,
  mayHaveEnded,
  message,
  Reader,
  send,
  type Tests,
  textOf,
  topic,
  until,
} from '../subject.ts';

export const delayTests: Tests = {
  'a delayed message comes after its time': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    await send(driver, topic, message('later', { delayMs: 400 }), message('now'));
    await (await reader.has(subject, 1))[0]!.ack();
    await (await reader.has(subject, 2))[1]!.ack();
    assert.deepEqual(reader.texts, ['now', 'later']);
  },
  'what is held back for longer than a lease comes once': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const longMs = 1.25 * (driver.leaseMs ?? 1_000);
    await using reader = new Reader(driver, topic, group, { prefetch: 2 });
    await send(driver, topic, message('failed'), message('delayed', { delayMs: longMs }));
    await (await reader.has(subject, 1))[0]!.nack({ requeueAfterMs: longMs });
    for (const delivery of (await reader.has(subject, 3)).slice(1)) {
      assert.equal(delivery.deliveries, textOf(delivery) === 'failed' ? 2 : 1);
      await delivery.ack();
    }
    await send(driver, topic, message('last'));
    await (await reader.has(subject, 4))[3]!.ack();
    assert.deepEqual(reader.texts.slice(1).sort(), ['delayed', 'failed', 'last']);
  },
  'delays and pauses of any size are kept': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const startedAt = performance.now();
    const mayBeLost = () => mayHaveEnded(driver, startedAt);
    const [done, early] = [new Set<string>(), [] as string[]];
    await using reader = new Reader(driver, topic, group, {
      each: async delivery => {
        const text = textOf(delivery);
        const [kind, ms] = text.split(' ') as [string, string];
        if (kind === 'far' || done.has(text)) early.push(text);
        const isFirst = (delivery.failures ?? delivery.deliveries - 1) === 0;
        const isFailing = kind === 'fails' || (kind === 'pauses' && isFirst);
        const settling = isFailing ? delivery.nack({ requeueAfterMs: Number(ms) }) : delivery.ack();
        if (!(await isSettled(settling, mayBeLost))) return;
        if (kind !== 'pauses' || !isFailing) done.add(text);
      },
    });
    await send(
      driver,
      topic,
      ...farMs.flatMap(ms => [message(`far ${ms}`, { delayMs: ms }), message(`fails ${ms}`)]),
      ...nearMs.flatMap(ms => [message(`near ${ms}`, { delayMs: ms }), message(`pauses ${ms}`)]),
    );
    const areDone = (count: number) => () => done.size >= count || reader.error !== undefined;
    const count = farMs.length + 2 * nearMs.length;
    await until(subject, areDone(count), 'what is not far');
    await send(driver, topic, message('last'));
    await until(subject, areDone(count + 1), 'the last');
    assert.ifError(reader.error);
    assert.deepEqual(early, []);
  },
  'delays end in the order of their times': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    const delays = [900, 300, 600, 100];
    await send(driver, topic, ...delays.map(delayMs => message(`${delayMs}`, { delayMs })));
    await reader.has(subject, 4);
    assert.deepEqual(reader.texts, ['100', '300', '600', '900']);
  },
};

/** Beyond 31 and 32 bits, and the longest that each driver takes: ten years. */
const farMs = [2 ** 31, 2 ** 32, 315_360_000_000];
/** Below what clocks tell apart. */
const nearMs = [0.25, 1e-7, Number.MIN_VALUE, 1.5];

export const priorityTests: Tests = {
  'higher priorities come first': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const priorities = [0, 5, 9, 1, 5, 0, 9];
    await send(driver, topic, ...priorities.map(priority => message(`${priority}`, { priority })));
    await using reader = new Reader(driver, topic, group, { prefetch: 1, each: each => each.ack() });
    await reader.has(subject, priorities.length);
    assert.deepEqual(reader.texts, ['9', '9', '5', '5', '1', '0', '0']);
  },
};

export const expiryTests: Tests = {
  'a message whose time is over in years comes, and one whose time is over at once does not':
    async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      const lifetimes = [...farMs, 3_155_760_000_000];
      const near = nearMs.filter(ms => ms < 1);
      await send(driver, topic, ...near.map(expiresInMs => message(`over ${expiresInMs}`, { expiresInMs })));
      await (subject.pass?.(5) ?? delay(5));
      await send(driver, topic, ...lifetimes.map(expiresInMs => message(`${expiresInMs}`, { expiresInMs })));
      const texts = await drainOnce(subject, driver, lifetimes.length);
      assert.deepEqual(texts, lifetimes.map(String).sort());
    },
  'a message whose time is over is not handed out': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(
      driver,
      topic,
      message('stale', { expiresInMs: 50 }),
      message('fresh', { expiresInMs: 600_000 }),
    );
    await send(driver, topic, message('mark', { expiresInMs: 1 }));
    let isOver = false;
    const started = Date.now();
    await until(subject, () => (isOver = subject.pass !== undefined || Date.now() - started > 200));
    assert(isOver);
    for (let i = 0; i < 20; i++) await subject.pass?.(10);
    assert.deepEqual(await drain(subject, driver, topic, group, 1), ['fresh']);
  },
  'a dead letter that is sent again comes, though its time is over': async subject => {
    const { driver } = subject;
    if (!driver.capabilities.deadLetters) return;
    await driver.declare(topic, group);
    const lifetimeMs = 500;
    const dead = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'for the test' }) });
    await until(subject, async () => {
      await send(driver, topic, message('again', { expiresInMs: lifetimeMs }));
      await (subject.pass?.(100) ?? delay(100)); // One may be over before it comes
      return (await driver.inspect!(topic, group, { limit: 1 })).length > 0;
    });
    await dead[Symbol.asyncDispose]();
    await (subject.pass?.(lifetimeMs) ?? delay(lifetimeMs));
    const [letter] = await driver.inspect!(topic, group, { limit: 1 });
    assert.equal(await driver.redrive!(topic, group, { ids: [letter!.id] }), 1);
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await until(subject, () => reader.received.some(({ id }) => id === letter!.id));
  },
};
