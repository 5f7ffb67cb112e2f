import { randomUUID } from 'node:crypto';
import { eventually } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { expect, it, onTestFinished } from 'vitest';
import { type NatsOptions, nats } from '../../src/adapters/nats.ts';
import { jobsTests } from '../../src/conformance/abilities/jobs.ts';
import { group, message, Reader, type Subject, send, times, topic } from '../../src/conformance/subject.ts';
import { UnsupportedError } from '../../src/index.ts';
import { NatsSite } from '../support/nats-site.ts';

/** What a newer server has by itself is used where it has it: NATS 2.11 removes messages whose time is over, and pauses consumers. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 25_000 });

describeWith('nats', 'what newer servers of NATS have', () => {
  const site = new NatsSite();

  function open(options: Partial<NatsOptions> = {}) {
    const connection = { servers: site.servers };
    const driver = nats({ connection, prefix: randomUUID(), leaseMs: 60_000, timeoutMs: 20_000, ...options });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    return driver;
  }

  /** The stream of the topic as it was made before the server, or this package, knew of times. */
  async function oldStream(prefix: string) {
    const name = `${prefix}_${topic}`;
    const subjects = [`${prefix}.${topic}.all`];
    await site.api(`STREAM.CREATE.${name}`, {
      ...{ name, subjects, retention: 'interest', discard: 'new', max_msgs: 1_000 },
      ...{ storage: 'file', num_replicas: 1 },
    });
    return name;
  }

  const stored = async (prefix: string) => {
    const { state } = await site.api<{ state: { messages: number } }>(`STREAM.INFO.${prefix}_${topic}`);
    return state.messages;
  };

  it('messages whose time is over make room in a full topic that nobody consumes', async ({ skip }) => {
    skip(site.olderThan(2, 11) !== undefined, site.olderThan(2, 11));
    const prefix = randomUUID();
    const driver = open({ prefix, maxMessages: 3 });
    await driver.declare(topic, group);
    await send(driver, topic, message('stays', { expiresInMs: 1e15 }));
    await send(driver, topic, ...times(2, n => message(`${n}`, { expiresInMs: 300 })));
    await soon(async () => expect(await driver.publish(topic, [message('next')])).toEqual([{ ok: true }]));
    await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 2 }));
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await soon(async () => expect(reader.texts.toSorted()).toEqual(['next', 'stays']));
  });

  it('a message that the server removes while it is in hands is settled as any other', async ({ skip }) => {
    skip(site.olderThan(2, 11) !== undefined, site.olderThan(2, 11));
    const prefix = randomUUID();
    const driver = open({ prefix });
    await driver.declare(topic, group);
    await using reader = new Reader(driver, topic, group);
    await soon(async () => {
      await send(driver, topic, message('held', { expiresInMs: 2_000 }));
      expect(reader.received.length).toBeGreaterThanOrEqual(4);
    });
    await soon(async () => expect(await stored(prefix)).toBe(0));
    const [first, second, third, ...rest] = reader.received;
    await first!.nack({ requeueAfterMs: 1 });
    await second!.nack({ dead: 'no' });
    await third!.extend(60_000);
    await Promise.all([third!, ...rest].map(each => each.ack()));
    await soon(async () => {
      await Promise.all(reader.received.slice(3).map(each => each.ack()));
      expect(await driver.stats!(topic, group)).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 1 });
    });
  });

  it('a stream that was made without it is given it by the next declaration', async ({ skip }) => {
    skip(site.olderThan(2, 11) !== undefined, site.olderThan(2, 11));
    const prefix = randomUUID();
    await oldStream(prefix);
    const driver = open({ prefix });
    await driver.declare(topic, group);
    await send(driver, topic, message('over', { expiresInMs: 1 }));
    await soon(async () => expect(await stored(prefix)).toBe(0));
  });

  it('messages with a time are published to a stream that was made again without it', async () => {
    const prefix = randomUUID();
    const driver = open({ prefix });
    await driver.declare(topic, group);
    await send(driver, topic, message('known', { expiresInMs: 60_000 }));
    await site.api(`STREAM.DELETE.${prefix}_${topic}`);
    const name = await oldStream(prefix);
    const consumer = { durable_name: group, ack_policy: 'explicit', deliver_policy: 'all' };
    await site.api(`CONSUMER.DURABLE.CREATE.${name}.${group}`, { stream_name: name, config: consumer });
    const sent = message('again', { expiresInMs: 600_000 });
    await soon(async () => {
      const [published] = await driver.publish(topic, [sent]);
      if (!published!.ok) expect(published).toMatchObject({ outcome: 'NotExecuted' });
      expect(published!.ok).toBe(true);
    });
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await soon(async () => expect(reader.texts).toEqual(['again']));
  });

  const pausing = 'a paused group is handed nothing, in any process, until it is resumed';

  it(pausing, async ({ skip }) => {
    skip(site.olderThan(2, 11) !== undefined, site.olderThan(2, 11));
    const prefix = randomUUID();
    const subject: Subject = {
      driver: open({ prefix }),
      other: async () => open({ prefix }),
      async [Symbol.asyncDispose]() {},
    };
    await jobsTests[pausing]!(subject);
  });

  it('a pause outlives declarations and the server, and is no fault', async ({ skip }) => {
    skip(site.olderThan(2, 11) !== undefined, site.olderThan(2, 11));
    const prefix = randomUUID();
    const driver = open({ prefix });
    await driver.declare(topic, group);
    await driver.pause!(topic, group);
    await driver.declare(topic, group);
    await send(driver, topic, message('waits'));
    await site.server.restart();
    await soon(() => driver.declare(topic, group));
    let answers = 0;
    const received: string[] = [];
    const stop = new AbortController();
    const options = { prefetch: 1, signal: stop.signal, alive: () => void answers++ };
    const consuming = (async () => {
      for await (const delivery of driver.consume(topic, group, options)) {
        received.push(delivery.id);
        await delivery.ack();
      }
    })();
    await soon(async () => expect(answers).toBeGreaterThan(3));
    expect(received).toEqual([]);
    await driver.resume!(topic, group);
    await soon(async () => expect(received).toHaveLength(1));
    stop.abort();
    await consuming;
  });

  it('what an older server cannot do is said at once', async ({ skip }) => {
    skip(site.olderThan(2, 11) === undefined, `NATS ${site.admin.info!.version} can pause`);
    const driver = open();
    await driver.declare(topic, group);
    await expect(driver.pause!(topic, group)).rejects.toThrow(UnsupportedError);
    await expect(driver.resume!(topic, group)).rejects.toThrow(/NATS 2\.11 or later/);
  });
});
