import { randomUUID } from 'node:crypto';
import { eventually } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Streams } from '../../src/adapters/nats/streams.ts';
import { nats } from '../../src/adapters/nats.ts';
import { delayTests, expiryTests } from '../../src/conformance/abilities/timing.ts';
import { group, message, Reader, type Subject, send, times, topic } from '../../src/conformance/subject.ts';
import type { Driver } from '../../src/index.ts';
import { NatsSite } from '../support/nats-site.ts';

/** Clocks of processes differ, by hours where nobody sets them. What counts is the server's. */

const hourMs = 3_600_000;
const soon = { withinMs: 60_000 };

describeWith('nats', 'on NATS, in a process whose clock is off', () => {
  const site = new NatsSite();

  const { now } = Date;
  const set = (aheadMs: number) => {
    Date.now = () => now() + aheadMs;
  };
  afterEach(() => set(0));

  function open(prefix: string = randomUUID()): Driver {
    const connection = { servers: site.servers };
    return nats({ connection, prefix, leaseMs: 5_000 });
  }

  for (const [way, aheadMs] of [
    ['ahead', hourMs],
    ['behind', -hourMs],
  ] as const) {
    describe(`an hour ${way}`, () => {
      beforeEach(() => set(aheadMs));

      for (const [name, test] of Object.entries({ ...delayTests, ...expiryTests })) {
        it(name, async () => {
          const driver = open();
          await using subject: Subject = {
            driver,
            [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
          };
          await test(subject);
        });
      }

      it('what it gives back for a while comes in its time to a process whose clock is right, and dies at its time', async () => {
        const prefix = randomUUID();
        const [one, other] = [open(prefix), open(prefix)];
        onTestFinished(async () => {
          for (const each of [one, other]) await each[Symbol.asyncDispose]();
        });
        await one.declare(topic, group);
        await send(one, topic, message('again'), message('dead'));
        const reader = new Reader(one, topic, group, {
          each: each => each.nack(each.body.length === 4 ? { dead: 'no' } : { requeueAfterMs: 300 }),
        });
        await eventually(async () => expect(reader.received).toHaveLength(2), soon);
        await reader[Symbol.asyncDispose]();
        set(0);
        await using second = new Reader(other, topic, group, { each: each => each.ack() });
        await eventually(async () => expect(second.texts).toEqual(['again']), soon);
        const [letter] = await other.inspect!(topic, group, { limit: 1 });
        expect(Math.abs(letter!.diedAtMs - Date.now())).toBeLessThan(hourMs / 2);
      });
    });
  }

  for (const [what, more] of [
    ['has an end', { expiresInMs: hourMs }],
    ['is delayed', { delayMs: 50 }],
    ['is delayed and has an end', { delayMs: 50, expiresInMs: hourMs }],
  ] as const) {
    it(`a message that ${what} comes before its lease is over, and as new, although the server did not say its time`, async () => {
      const connection = { servers: site.servers };
      const driver = nats({ connection, prefix: randomUUID(), leaseMs: 10 * soon.withinMs });
      onTestFinished(() => driver[Symbol.asyncDispose]());
      // As one that leads since a moment ago
      const asked = vi.spyOn(Streams.prototype, 'timeAt');
      onTestFinished(() => asked.mockRestore());
      asked.mockResolvedValueOnce(undefined).mockRejectedValueOnce(new Error('for the test'));
      await driver.declare(topic, group);
      await send(driver, topic, message('one', more));
      await using reader = new Reader(driver, topic, group);
      await eventually(async () => expect(reader.received).toHaveLength(1), soon);
      expect(reader.received[0]!.deliveries).toBe(1);
      expect(asked.mock.calls.length).toBeGreaterThan(2);
      await reader.received[0]!.ack();
    });
  }

  it('the server is asked for its time once for many messages', async () => {
    const prefix = randomUUID();
    const driver = open(prefix);
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await driver.declare(topic, group);
    const count = 600;
    await send(driver, topic, ...times(count, n => message(`${n}`, { expiresInMs: hourMs })));
    await send(driver, topic, ...times(count, n => message(`later ${n}`, { delayMs: 100 })));
    let asked = 0;
    const watching = site.admin.subscribe('$JS.API.CONSUMER.INFO.>', { callback: () => void asked++ });
    await site.admin.flush();
    await using reader = new Reader(driver, topic, group, { prefetch: 50, each: each => each.ack() });
    await eventually(async () => expect(reader.received).toHaveLength(2 * count), soon);
    watching.unsubscribe();
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(count / 4);
  });
});
