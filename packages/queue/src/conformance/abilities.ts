import assert from 'node:assert/strict';
import type { Capabilities, Delivery, Limits, Rate } from '../driver.ts';
import { DeliveryLostError } from '../errors.ts';
import { drain, message, Reader, type Subject, send, type Tests, textOf, times, until } from './subject.ts';

const topic = 'topic';
const group = 'group';

/** The tests of what only some drivers can do. */
export const abilityTests: { readonly [Ability in keyof Capabilities]?: Tests } = {
  fanout: {
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
  },
  delay: {
    'a delayed message comes after its time': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      await using reader = new Reader(driver, topic, group, { prefetch: 1 });
      await send(driver, topic, message('later', { delayMs: 400 }), message('now'));
      await (await reader.has(subject, 1))[0]!.ack();
      await (await reader.has(subject, 2))[1]!.ack();
      assert.deepEqual(reader.texts, ['now', 'later']);
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
  },
  priority: {
    'higher priorities come first': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      const priorities = [0, 5, 9, 1, 5, 0, 9];
      await send(driver, topic, ...priorities.map(priority => message(`${priority}`, { priority })));
      await using reader = new Reader(driver, topic, group, { prefetch: 1, each: each => each.ack() });
      await reader.has(subject, priorities.length);
      assert.deepEqual(reader.texts, ['9', '9', '5', '5', '1', '0', '0']);
    },
  },
  expiry: {
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
  },
  uniqueIds: {
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
  },
  deduplication: {
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
    'throttle: the first, and then none for its time': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      const deduplication = { key: 'report', mode: 'throttle', ttlMs: 400 } as const;
      const publish = (text: string) => driver.publish(topic, [message(text, { deduplication })]);
      await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
      assert.deepEqual(await publish('first'), [{ ok: true }]);
      await reader.has(subject, 1);
      assert.deepEqual(await publish('dropped'), [{ ok: true, isDuplicate: true }]);
      await until(
        subject,
        async () => (await publish('second'))[0]?.ok === true && reader.texts.includes('second'),
      );
      assert.deepEqual(reader.texts.slice(0, 2), ['first', 'second']);
    },
    'debounce: the last, after its time': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      const deduplication = { key: 'search', mode: 'debounce', ttlMs: 300 } as const;
      await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
      for (const text of ['a', 'ab', 'abc']) await send(driver, topic, message(text, { deduplication }));
      await reader.has(subject, 1);
      await send(driver, topic, message('other', { deduplication: { ...deduplication, key: 'other' } }));
      await reader.has(subject, 2);
      assert.deepEqual(reader.texts, ['abc', 'other']);
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
      await send(driver, topic, message('next', { deduplication }));
      await living.has(subject, 2);
      assert.deepEqual(living.texts, ['orphan', 'next']);
    },
  },
  jobs: {
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
  },
  orderedKeys: {
    'messages of a key come in order, one at a time': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      const keys = times(8, index => `key ${index}`);
      for (let n = 0; n < 25; n++) {
        await send(driver, topic, ...keys.map(key => message(`${key}#${n}`, { key })));
      }
      const inHands = new Set<string>();
      const seen: string[] = [];
      const take = async (
        delivery: { readonly key?: string | undefined; ack(): Promise<void> } & { body: Uint8Array },
      ) => {
        const key = delivery.key!;
        assert(!inHands.has(key), `two of ${key} at once`);
        inHands.add(key);
        seen.push(textOf(delivery));
        setImmediate(() => {
          inHands.delete(key);
          void delivery.ack();
        });
      };
      await using one = new Reader(driver, topic, group, { prefetch: 10, ordered: true, each: take });
      await using two = new Reader(driver, topic, group, { prefetch: 10, ordered: true, each: take });
      await until(subject, () => seen.length === 200, 'two hundred messages');
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
      await using reader = new Reader(driver, topic, group, { prefetch: 5, ordered: true });
      await send(driver, topic, message('a1', { key: 'a' }), message('a2', { key: 'a' }));
      await (await reader.has(subject, 1))[0]!.nack({ requeueAfterMs: 300 });
      await send(driver, topic, message('b1', { key: 'b' }));
      await (await reader.has(subject, 2))[1]!.ack();
      assert.equal(reader.texts[1], 'b1');
      await (await reader.has(subject, 3))[2]!.ack();
      await (await reader.has(subject, 4))[3]!.ack();
      assert.deepEqual(reader.texts, ['a1', 'b1', 'a1', 'a2']);
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
  },
  fairness: {
    'a key with few messages does not wait for one with many': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      await send(driver, topic, ...times(500, index => message(`big ${index}`, { key: 'big' })));
      await send(driver, topic, ...times(5, index => message(`small ${index}`, { key: 'small' })));
      await using reader = new Reader(driver, topic, group, {
        prefetch: 1,
        fair: true,
        each: each => each.ack(),
      });
      await reader.has(subject, 30);
      assert.equal(reader.texts.slice(0, 30).filter(text => text.startsWith('small')).length, 5);
      await reader.has(subject, 505);
      assert.equal(new Set(reader.texts).size, 505);
    },
    'without a second key, all places are used': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      await send(driver, topic, ...times(20, index => message(`${index}`, { key: 'only' })));
      await using reader = new Reader(driver, topic, group, { prefetch: 20, fair: true });
      await reader.has(subject, 20);
      for (const each of reader.received) await each.ack();
    },
  },
  limits: {
    'no key has more in hands than its limit': async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      const limits = { keyConcurrency: 2 };
      await using one = new LimitedReader(subject, limits, 10);
      await using two = new LimitedReader(subject, limits, 10);
      const keys = times(3, index => `key ${index}`);
      for (const key of keys) await send(driver, topic, ...times(10, n => message(`${key}#${n}`, { key })));
      const done = new Set<string>();
      while (done.size < 30) {
        await until(subject, () => one.held.length + two.held.length > 0);
        for (const key of keys) {
          const count = [...one.held, ...two.held].filter(each => each.key === key).length;
          assert(count <= 2, `${count} of ${key} at once`);
        }
        const next = one.held.shift() ?? two.held.shift()!;
        done.add(textOf(next));
        await next.ack();
      }
    },
    'a group starts no more than its rate': async subject => {
      await rateTest(subject, { rate: { count: 5, perMs: 500 } }, () => 'any');
    },
    'a key starts no more than its rate, and holds up no other': async subject => {
      await rateTest(subject, { keyRate: { count: 5, perMs: 500 } }, () => 'slow');
      const { driver } = subject;
      await send(driver, topic, ...times(10, n => message(`slow ${n}`, { key: 'slow' })));
      await send(driver, topic, message('quick', { key: 'quick' }));
      await using reader = new LimitedReader(subject, { keyRate: { count: 5, perMs: 500 } }, 20);
      await until(subject, () => reader.held.some(each => textOf(each) === 'quick'));
      assert(reader.held.length < 11, 'the quick one has waited for the slow ones');
      for (const each of reader.held.splice(0)) await each.ack();
    },
  },
};

/** Publishes three times what a burst may have; counts what came at each moment, by the subject's own time. */
async function rateTest(
  subject: Subject,
  limits: { readonly rate?: Rate; readonly keyRate?: Rate },
  keyOf: () => string,
): Promise<void> {
  const { driver } = subject;
  const { count, perMs } = (limits.rate ?? limits.keyRate)!;
  await driver.declare(topic, group);
  await send(driver, topic, ...times(3 * count, index => message(`${index}`, { key: keyOf() })));
  await using reader = new LimitedReader(subject, limits, 100);
  let now = 0;
  const started = performance.now();
  const starts: number[] = [];
  await until(
    {
      ...subject,
      pass: async ms => {
        await (subject.pass?.(ms) ?? new Promise(resolve => setTimeout(resolve, ms)));
        now = subject.pass === undefined ? performance.now() - started : now + ms;
        for (const each of reader.held.splice(0)) {
          starts.push(now);
          await each.ack();
        }
      },
    } as Subject,
    () => starts.length >= 3 * count,
    `${3 * count} starts`,
  );
  // A burst of `count`, then one each `perMs / count`; seen late at most, never early
  for (const [index, at] of starts.entries()) {
    const allowedAt = Math.max(0, index - count + 1) * (perMs / count);
    assert(at >= allowedAt - 60, `start ${index} at ${at} ms, allowed at ${allowedAt} ms`);
  }
}

class LimitedReader implements AsyncDisposable {
  readonly held: Delivery[] = [];
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor({ driver }: Subject, limits: Limits, prefetch: number) {
    const options = { prefetch, limits, signal: this.#stop.signal };
    this.#reading = (async () => {
      for await (const delivery of driver.consume(topic, group, options)) this.held.push(delivery);
    })();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }
}
