import assert from 'node:assert/strict';
import type { Delivery } from '../driver.ts';
import { DeliveryLostError } from '../errors.ts';
import {
  drain,
  group,
  message,
  Reader,
  type Subject,
  send,
  type Test,
  type Tests,
  textOf,
  times,
  topic,
  unhurried,
} from './subject.ts';

/** Of a lease: a driver may end it sooner than its backend, so that what it sends within it arrives in time. */
const leastLease = 0.8;

/** What acknowledging, failing and giving back do. */
export const settlingTests: Tests = {
  'what is acknowledged does not come again': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('once'), message('twice'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    const [first] = await reader.has(subject, 1);
    await first!.ack();
    await reader.has(subject, 2);
    await reader.received[1]!.ack();
    await send(driver, topic, message('last'));
    await reader.has(subject, 3);
    assert.deepEqual(new Set(reader.texts).size, 3);
    await reader.received[2]!.ack();
  },
  'what fails comes again, and its failures are counted': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('stubborn'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    for (let failures = 0; failures < 4; failures++) {
      const delivery = (await reader.has(subject, failures + 1))[failures]!;
      assert.equal(textOf(delivery), 'stubborn');
      assert.equal(delivery.failures ?? failures, failures);
      assert.equal(delivery.deliveries, failures + 1);
      await delivery.nack({ requeueAfterMs: failures % 2 === 0 ? 0 : 20 });
    }
    await (await reader.has(subject, 5))[4]!.ack();
  },
  'what fails waits for its pause, and holds up no other': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await unhurried(subject, async pauseMs => {
      const at: number[] = [];
      const each = async (delivery: Delivery) => {
        if (at.push(performance.now()) === 1) await delivery.nack({ requeueAfterMs: pauseMs });
        else await delivery.ack();
      };
      await send(driver, topic, message('poison'));
      await using reader = new Reader(driver, topic, group, { prefetch: 1, each });
      await reader.has(subject, 1);
      const healthy = times(3, index => `healthy ${index}`);
      await send(driver, topic, ...healthy.map(text => message(text)));
      await reader.has(subject, 5);
      const check = () => assert.deepEqual(reader.texts, ['poison', ...healthy, 'poison']);
      return { tookMs: at[3]! - at[0]!, check };
    });
  },
  'what is given back counts as never handed out': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('returned'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    for (let index = 0; index < 6; index++) {
      const delivery = (await reader.has(subject, index + 1))[index]!;
      assert.equal(delivery.deliveries, 1);
      assert.equal(delivery.failures ?? 0, 0);
      await delivery.nack({ charge: false, ...(index % 2 === 1 && { requeueAfterMs: 20 }) });
    }
    await (await reader.has(subject, 7))[6]!.ack();
  },
  'settling twice does nothing': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('acknowledged'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    const [first] = await reader.has(subject, 1);
    await first!.ack();
    await first!.ack();
    await first!.nack({});
    await first!.extend(1_000);
    await send(driver, topic, message('next'));
    const [, second] = await reader.has(subject, 2);
    assert.equal(textOf(second!), 'next');
    await second!.ack();
  },
};

/** For drivers whose deliveries have a lease. */
export const leaseTests: Tests = {
  'a lease that ends gives the message to another': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('orphan'));
    const dead = new Reader(driver, topic, group, { prefetch: 1 });
    const [lost] = await dead.has(subject, 1);
    await dead[Symbol.asyncDispose]();
    await using living = new Reader(driver, topic, group, { prefetch: 1 });
    const [found] = await living.has(subject, 1);
    assert.equal(textOf(found!), 'orphan');
    assert.equal(found!.deliveries, 2);
    assert.equal(found!.failures ?? 0, 0);
    // The zombie settles nothing
    await assert.rejects(lost!.ack(), DeliveryLostError);
    await assert.rejects(lost!.nack({ requeueAfterMs: 0 }), DeliveryLostError);
    await assert.rejects(lost!.extend(60_000), DeliveryLostError);
    await found!.ack();
    await send(driver, topic, message('after'));
    await (await living.has(subject, 2))[1]!.ack();
  },
  'who has lost a message brings nothing back when another has ended it': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await send(driver, topic, message('a'), message('b'), message('c'));
    const dead = new Reader(driver, topic, group, { prefetch: 3 });
    const lost = [...(await dead.has(subject, 3))];
    await dead[Symbol.asyncDispose]();
    await using living = new Reader(driver, topic, group, { prefetch: 3 });
    for (const delivery of await living.has(subject, 3)) await delivery.ack();
    const [a, b, c] = lost;
    await assert.rejects(a!.nack({ requeueAfterMs: 0 }), DeliveryLostError);
    if (driver.inspect !== undefined) await assert.rejects(b!.nack({ dead: 'late' }), DeliveryLostError);
    if (driver.find !== undefined) {
      await assert.rejects(c!.progress!(new TextEncoder().encode('1')), DeliveryLostError);
      assert.equal(await driver.find(topic, group, c!.id), undefined);
    }
    await send(driver, topic, message('after'));
    await (await living.has(subject, 4))[3]!.ack();
    assert.equal(living.texts[3], 'after');
    assert.deepEqual(await driver.inspect?.(topic, group, { limit: 10 }), driver.inspect && []);
  },
  'who has lost a message and who has it are told so in one moment': async subject => {
    const { driver } = subject;
    const leaseMs = driver.leaseMs!;
    await driver.declare(topic, group);
    await send(driver, topic, message('again'));
    let receivedAt = 0;
    const each = async () => {
      receivedAt = performance.now();
    };
    await using reader = new Reader(driver, topic, group, { prefetch: 2, each });
    let isKept = false;
    for (let count = 2; count < 10 && !isKept; count++) {
      const [lost, kept] = (await reader.has(subject, count)).slice(count - 2);
      const all = [lost!, kept!, lost!].map(delivery => delivery.extend(leaseMs));
      const said = await Promise.allSettled(all);
      isKept = said[1]!.status === 'fulfilled';
      for (const one of isKept ? [said[0]!, said[2]!] : said)
        assert(one.status === 'rejected' && one.reason instanceof DeliveryLostError);
      // Where that has taken a whole lease, the last may be over too, and it comes again
      if (subject.pass !== undefined || performance.now() - receivedAt < leastLease * leaseMs) break;
    }
    assert(isKept);
    await reader.received.at(-1)!.ack();
  },
  'an extended lease holds': async subject => {
    const { driver } = subject;
    const leaseMs = driver.leaseMs!;
    await driver.declare(topic, group);
    await unhurried(subject, async () => {
      const { isLost, tookMs } = await extended(subject, leaseMs);
      // It is in nobody's hands soon
      if (isLost) await drain(subject, driver, topic, group, 1);
      // Of a trial that was too slow, as long as its lease: it shows nothing, the last one neither
      const isSlow = tookMs >= leastLease * leaseMs;
      return { tookMs: isSlow ? Infinity : 0, check: () => assert(isSlow || !isLost, 'it was lost') };
    });
  },
  'leases that are extended in one moment have each its own length': async subject => {
    const { driver } = subject;
    const leaseMs = driver.leaseMs!;
    await driver.declare(topic, group);
    await send(driver, topic, message('one'), message('another'));
    await using reader = new Reader(driver, topic, group, { prefetch: 2 });
    const [one, another] = await reader.has(subject, 2);
    await using other = new Reader(driver, topic, group, { prefetch: 2 });
    const startedAt = performance.now();
    await Promise.all([one!.extend(leaseMs / 8), another!.extend(leaseMs)]);
    for (let waitedMs = 0; waitedMs < leaseMs / 2; waitedMs += 10) await passOn(subject, 10);
    const came = other.texts.includes(textOf(another!));
    const isKept = await another!.ack().then(
      () => !came,
      () => false,
    );
    // Where the wait has taken a whole lease, both may be over
    const tookMs = performance.now() - startedAt;
    if (subject.pass !== undefined || tookMs < leastLease * leaseMs) assert(isKept);
    await one!.ack().catch(() => {}); // Its lease may be over
  },
};

async function passOn(subject: Parameters<Test>[0], ms: number): Promise<void> {
  if (subject.pass !== undefined) return subject.pass(ms);
  await new Promise(resolve => setTimeout(resolve, ms));
}

/** Keeps a message for longer than its lease, and settles it unless another has got it. */
async function extended(
  subject: Subject,
  leaseMs: number,
): Promise<{ readonly isLost: boolean; readonly tookMs: number }> {
  const { driver } = subject;
  let extendedAt = performance.now();
  await send(driver, topic, message('long'));
  await using reader = new Reader(driver, topic, group, { prefetch: 1 });
  const [delivery] = await reader.has(subject, 1);
  await using other = new Reader(driver, topic, group, { prefetch: 1 });
  let tookMs = 0;
  for (let beat = 0; beat < 6 && other.received.length === 0; beat++) {
    const now = performance.now();
    await delivery!.extend(leaseMs).catch(() => {}); // It is lost then, and the other has it
    tookMs = Math.max(tookMs, performance.now() - extendedAt);
    extendedAt = now;
    for (let waitedMs = 0; waitedMs < leaseMs / 4; waitedMs += 10) await passOn(subject, 10);
  }
  tookMs = Math.max(tookMs, performance.now() - extendedAt);
  const isLost = await delivery!.ack().then(
    () => other.received.length > 0,
    error => {
      if (error instanceof DeliveryLostError) return true;
      throw error;
    },
  );
  return { isLost, tookMs };
}
