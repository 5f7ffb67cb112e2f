import assert from 'node:assert/strict';
import type { Delivery, OutgoingMessage } from '../driver.ts';
import { group, message, type Subject, type Tests, textOf, times, topic, until } from './subject.ts';

/** What becomes of calls, deliveries and iterations when every connection is lost. */
export const connectionTests: Tests = {
  'what was confirmed is handled although connections break, and no message twice by its publishing':
    async subject => {
      const { driver } = subject;
      await driver.declare(topic, group);
      await using consumer = new Persistent(subject);
      for (let round = 0; round < 6; round++) {
        const batch = times(20, index => message(`${round * 20 + index}`));
        const publishing = publishAll(subject, batch);
        if (round % 2 === 1) await subject.break!();
        await publishing;
      }
      await until(subject, () => consumer.seen.size === 120, 'each message');
      const { uniqueIds, crashCount } = driver.capabilities;
      if (uniqueIds && crashCount) assert.deepEqual(consumer.repeated, []);
    },
  'a group is there still when connections have broken while nobody consumed': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await publishAll(subject, [message('before')]);
    await subject.break!();
    await publishAll(subject, [message('after')]);
    await using consumer = new Persistent(subject);
    await until(subject, () => consumer.seen.size === 2, 'both messages');
  },
  'a consumer that waits is woken after its connections have broken': async subject => {
    const { driver } = subject;
    await driver.declare(topic, group);
    await using consumer = new Persistent(subject);
    for (let round = 1; round <= 3; round++) {
      await publishAll(subject, [message(`${round}`)]);
      await until(subject, () => consumer.seen.size === round, `message ${round}`);
      await subject.break!();
    }
    await publishAll(subject, [message('last')]);
    await until(subject, () => consumer.seen.has('last'), 'the last message');
  },
};

/** Publishes until all are confirmed, with the ids that they have. */
async function publishAll(subject: Subject, batch: readonly OutgoingMessage[]): Promise<void> {
  let open = batch;
  await until(
    subject,
    async () => {
      const published = await subject.driver.publish(topic, open);
      open = open.filter((_, index) => !published[index]!.ok);
      return open.length === 0;
    },
    'the confirmation of each message',
  );
}

/** Consumes as a queue does: when an iteration ends, it begins another. Acknowledges all. */
class Persistent implements AsyncDisposable {
  readonly seen: Set<string> = new Set();
  /** Handed out for the first time, and not for the first time. */
  readonly repeated: string[] = [];
  readonly #stop = new AbortController();
  readonly #consuming: Promise<void>;

  constructor({ driver, pass }: Subject) {
    this.#consuming = (async () => {
      while (!this.#stop.signal.aborted) {
        try {
          const options = { prefetch: 5, signal: this.#stop.signal };
          for await (const delivery of driver.consume(topic, group, options)) this.#take(delivery);
        } catch {
          await (pass?.(10) ?? new Promise(resolve => setTimeout(resolve, 10)));
        }
      }
    })();
  }

  #take(delivery: Delivery): void {
    const text = textOf(delivery);
    if (delivery.deliveries === 1 && this.seen.has(text)) this.repeated.push(text);
    this.seen.add(text);
    // One that is lost with its connection brings the message again
    delivery.ack().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#consuming;
  }
}
