import { randomUUID } from 'node:crypto';
import { eventually, type RabbitServer, startRabbit } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type RabbitmqOptions, rabbitmq } from '../../../src/adapters/rabbitmq.ts';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { messages, Queue } from '../../../src/index.ts';

/** What users of RabbitMQ have reported of its limits: of channels, frames, sizes and lengths, tried here. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 60_000 });
const maxBytes = 100_000;

describeWith({ own: 'rabbitmq' }, 'reports of the limits of RabbitMQ', () => {
  let server: RabbitServer;
  beforeAll(async () => {
    const config = ['channel_max = 6', 'frame_max = 16384', `max_message_size = ${maxBytes}`];
    server = await startRabbit({ own: true, config: config.join('\n') });
  }, 120_000);
  afterAll(() => server?.stop());

  async function begin(options: Partial<RabbitmqOptions> = {}) {
    const driver = rabbitmq({ url: server.url, prefix: randomUUID(), timeoutMs: 20_000, ...options });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await driver.declare(topic, group);
    return driver;
  }

  const tooLarge = {
    ok: false,
    outcome: 'NotExecuted',
    error: { code: 'ASHLAR_QUEUE_INVALID_PAYLOAD', retryable: false },
  };

  it('has as many consumers as it is asked for, whatever a connection has channels for (amqp-node/amqplib 516, onebeyond/rascal 225)', async () => {
    const driver = await begin();
    const readers = times(15, () => new Reader(driver, topic, group, { prefetch: 1 }));
    await send(driver, topic, ...times(15, n => message(`${n}`)));
    await soon(async () =>
      expect(readers.map(({ received }) => received.length)).toEqual(times(15, () => 1)),
    );
    await driver.probe!(topic, group);
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, consumers: 15 });
    await Promise.all(readers.map(({ received }) => received[0]!.ack()));
    await Promise.all(readers.map(reader => reader[Symbol.asyncDispose]()));
    await driver[Symbol.asyncDispose]();
    await soon(async () => expect(await server.control('-q', 'list_connections', 'pid')).not.toMatch(/</));
  }, 180_000);

  it('many topics may be published to at once, whatever a connection has channels for', async () => {
    await using driver = rabbitmq({ url: server.url, prefix: randomUUID(), timeoutMs: 20_000 });
    const publishing = times(20, n => driver.publish(`${n}`, [message('a')], { allowUnrouted: true }));
    expect((await Promise.all(publishing)).flat()).toEqual(times(20, () => ({ ok: true })));
  });

  it('headers that leave no room in a frame are refused for their message alone (rabbitmq/rabbitmq-java-client 362, rabbitmq/rabbitmq-server 921)', async () => {
    const driver = await begin();
    const large = message('large', { headers: { x: 'x'.repeat(20_000) } });
    const [first, second, third] = await driver.publish(topic, [message('a'), large, message('b')]);
    expect([first, third]).toEqual([{ ok: true }, { ok: true }]);
    expect(second).toMatchObject(tooLarge);
  });

  it('a message with the longest headers may fail, and may die for a long reason (rebus-org/Rebus.RabbitMq 82, spring-projects/spring-amqp 2375)', async () => {
    const driver = await begin();
    // As long as they may be, to some ten bytes
    let length = 16_384;
    for (let refused = 1; refused > 0; length -= 10) {
      const results = await driver.publish(topic, [message('h', { headers: { x: 'é'.repeat(length / 2) } })]);
      refused = results.filter(({ ok }) => !ok).length;
    }
    expect(length).toBeGreaterThan(10_000);
    const id = 'x'.repeat(256);
    await send(driver, topic, message('also', { id, key: 'é'.repeat(128), headers: { x: 'x' } }));
    await using reader = new Reader(driver, topic, group, { prefetch: 10 });
    await soon(async () => expect(reader.received).toHaveLength(2));
    await Promise.all(reader.received.map(each => each.nack({ requeueAfterMs: 1 })));
    await soon(async () => expect(reader.received).toHaveLength(4));
    await Promise.all(reader.received.slice(2).map(each => each.nack({ dead: '日'.repeat(5_000) })));
    const letters = await driver.inspect!(topic, group, { limit: 9 });
    expect(letters.map(({ reason }) => reason)).toEqual(times(2, () => '日'.repeat(1_000)));
    expect(await driver.redrive!(topic, group, {})).toBe(2);
    await soon(async () => expect(reader.received).toHaveLength(6));
  });

  it('a group that is full takes back what it had handed out, so that its consumers go on (quarkusio/quarkus 41629, alanxz/SimpleAmqpClient 215)', async () => {
    const driver = await begin({ maxMessages: 3 });
    await send(driver, topic, message('first'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    await soon(async () => expect(reader.texts).toEqual(['first']));
    await soon(async () => {
      const [published] = await driver.publish(topic, [message('more')]);
      expect(published).toMatchObject({ ok: false, error: { code: 'ASHLAR_QUEUE_FULL' } });
    });
    await reader.received[0]!.nack({});
    for (let index = 1; !reader.texts.slice(1).includes('first'); index++) {
      await soon(async () => expect(reader.received.length).toBeGreaterThan(index));
      await reader.received[index]!.ack();
    }
    expect(reader.received.at(-1)).toMatchObject({ failures: 1 });
  }, 180_000);

  it('a subscription to a group that is full closes in its time, and loses nothing', async () => {
    const driver = await begin({ maxMessages: 3 });
    await using queue = new Queue(driver, { messages: messages<{ topic: string }>() });
    let hasBegun = false;
    const handler = () => {
      hasBegun = true;
      return new Promise<void>(() => {});
    };
    const subscription = await queue.subscribe('topic', handler, { group, concurrency: 1 });
    const confirmed: string[] = [];
    const publish = async (text: string) => {
      await queue.publish('topic', text);
      confirmed.push(JSON.stringify(text));
    };
    await publish('first');
    await soon(async () => expect(hasBegun).toBe(true));
    await soon(() => expect(publish('more')).rejects.toThrow(/maximum of 3/));
    await subscription.close({ timeoutMs: 10 });
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await soon(async () => expect(reader.texts.toSorted()).toEqual(confirmed.toSorted()));
    expect(reader.received.map(({ failures }) => failures)).toEqual(reader.received.map(() => 0));
  }, 180_000);

  it('what RabbitMQ no longer takes as large as it is, is a dead letter when it fails; what it takes again is published', async () => {
    const driver = await begin();
    const body = Buffer.alloc(maxBytes - 10_000);
    await send(driver, topic, message('', { body }));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    await soon(async () => expect(reader.received).toHaveLength(1));
    await limit(maxBytes - 20_000);
    await soon(async () =>
      expect(await driver.publish(topic, [message('', { body })])).toMatchObject([tooLarge]),
    );
    await soon(async () => {
      // The first was lost with its connection, and comes again
      await reader.received.at(-1)!.nack({ requeueAfterMs: 1 });
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, dead: 1 });
    });
    const [letter] = await driver.inspect!(topic, group, { limit: 1 });
    expect(letter).toMatchObject({ reason: 'RabbitMQ: rejected' });
    await expect(driver.redrive!(topic, group, {})).rejects.toMatchObject(tooLarge.error);
    await limit(maxBytes);
    await soon(async () =>
      expect(await driver.publish(topic, [message('', { body })])).toEqual([{ ok: true }]),
    );
    expect(await driver.redrive!(topic, group, {})).toBe(1);
    await soon(async () => expect(reader.received.at(-1)!.body.byteLength).toBe(body.byteLength));
  }, 180_000);

  /** What RabbitMQ heeds with the next channel. */
  async function limit(bytes: number): Promise<void> {
    const set = `application:set_env(rabbit, max_message_size, ${bytes}), persistent_term:put(max_message_size, ${bytes}).`;
    await server.control('eval', set);
    await server.control('close_all_connections', 'for the test');
  }
});
