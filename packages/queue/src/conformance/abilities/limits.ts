import assert from 'node:assert/strict';
import type { Delivery, Driver, Limits, OutgoingMessage, Rate } from '../../driver.ts';
import {
  group,
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

export const limitsTests: Tests = {
  'no key has more in hands than its limit': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    const limits = { keyConcurrency: 2 };
    await using one = new LimitedReader(driver, limits, 10);
    await using two = new LimitedReader(await elsewhere(subject), limits, 10);
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
    await using reader = new LimitedReader(driver, { keyRate: { count: 5, perMs: 500 } }, 20);
    await until(subject, () => reader.held.some(each => textOf(each) === 'quick'));
    assert(reader.held.length < 11, 'the quick one has waited for the slow ones');
    for (const each of reader.held.splice(0)) await each.ack();
  },
  'limits may be as large as an integer can be': async subject => {
    const { driver } = subject;
    const count = Number.MAX_SAFE_INTEGER;
    const rate = { count, perMs: 1_000 };
    for (const [name, limits] of Object.entries({
      rate: { rate },
      keyRate: { keyRate: rate },
      keyConcurrency: { keyConcurrency: count },
    })) {
      await driver.declare(topic, name);
      await send(driver, topic, ...times(3, n => message(`${n}`, { key: 'a' })));
      await using reader = new Reader(driver, topic, name, { limits, each: each => each.ack() });
      await reader.has(subject, 3);
    }
  },
  'what waits for its rate for longer than a lease was in no hands meanwhile': async subject => {
    const { driver, pass } = subject;
    const leaseMs = driver.leaseMs ?? 1_000;
    await driver.declare(topic, group);
    const startedAt = performance.now();
    await using reader = new LimitedReader(driver, { rate: { count: 1, perMs: 1.25 * leaseMs } }, 10);
    await send(driver, topic, message('first'), message('second'));
    const deliveries = new Map<string, number>();
    const acknowledged = async () => {
      for (const delivery of reader.held.splice(0)) {
        deliveries.set(textOf(delivery), delivery.deliveries);
        await delivery.ack().catch(() => {}); // Its lease may be over
      }
      return deliveries.size === 2;
    };
    await until(subject, acknowledged, 'both');
    // On a busy machine, a lease may have ended while nobody looked
    if (pass === undefined && performance.now() - startedAt >= 2 * leaseMs) return;
    assert.deepEqual(Object.fromEntries(deliveries), { first: 1, second: 1 });
  },
  'what is only to be dropped uses up no rate': async subject => {
    const { driver, pass = ms => new Promise(resolve => setTimeout(resolve, ms)) } = subject;
    await driver.declare(topic, group);
    const dropped: OutgoingMessage[] = [];
    if (driver.capabilities.expiry === true)
      dropped.push(...times(3, n => message(`expired ${n}`, { key: 'a', expiresInMs: 1 })));
    if (driver.cancel !== undefined) dropped.push(...times(3, n => message(`canceled ${n}`, { key: 'a' })));
    await send(driver, topic, ...dropped, message('first', { key: 'a' }), message('second', { key: 'a' }));
    for (const { id, expiresInMs } of dropped)
      if (expiresInMs === undefined) await driver.cancel!(topic, group, id);
    await pass(20);
    const rate = { count: 1, perMs: 3_600_000 };
    await using reader = new LimitedReader(driver, { rate, keyRate: rate }, 10);
    await until(subject, () => reader.held.length > 0);
    assert.deepEqual(reader.held.map(textOf), ['first']);
    await reader.held[0]!.ack();
  },
};

/** A driver as another process has it, as limits are over all of them. */
async function elsewhere({ driver, other }: Subject): Promise<Driver> {
  return (await other?.()) ?? driver;
}

/** Publishes three times what a burst may have, for two consumers; counts what came at each moment, by the subject's own time. */
async function rateTest(
  subject: Subject,
  limits: { readonly rate?: Rate; readonly keyRate?: Rate },
  keyOf: () => string,
): Promise<void> {
  const { driver } = subject;
  const { count, perMs } = (limits.rate ?? limits.keyRate)!;
  await driver.declare(topic, group);
  await send(driver, topic, ...times(3 * count, index => message(`${index}`, { key: keyOf() })));
  await using one = new LimitedReader(driver, limits, 100);
  await using two = new LimitedReader(await elsewhere(subject), limits, 100);
  let now = 0;
  const started = performance.now();
  const starts: number[] = [];
  await until(
    {
      ...subject,
      pass: async ms => {
        await (subject.pass?.(ms) ?? new Promise(resolve => setTimeout(resolve, ms)));
        now = subject.pass === undefined ? performance.now() - started : now + ms;
        for (const each of [...one.held.splice(0), ...two.held.splice(0)]) {
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

  constructor(driver: Driver, limits: Limits, prefetch: number) {
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
