import { randomUUID } from 'node:crypto';
import { InvalidOptionError } from '@ashlar/core';
import { eventually, type RabbitServer, startRabbit } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { type Channel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type RabbitmqOptions, rabbitmq } from '../../../src/adapters/rabbitmq.ts';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { messages, Queue } from '../../../src/index.ts';
import { asAdmin, declared } from './site.ts';

/** What differs between versions of RabbitMQ, and what users have reported of those from 4.0 on, tried here on whichever is here. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 60_000 });

describeWith({ own: 'rabbitmq' }, 'versions of RabbitMQ', () => {
  let server: RabbitServer;
  let version: string;
  beforeAll(async () => {
    server = await startRabbit({ own: true });
    const connection = await connect(server.url);
    ({ version } = connection.connection.serverProperties);
    await connection.close();
  }, 120_000);
  afterAll(() => server?.stop());

  /** Why a test is skipped on a server that is older. */
  const before = (major: number, minor: number): string | undefined => {
    const [ofMajor = 0, ofMinor = 0] = version.split('.').map(Number);
    const isNewer = ofMajor > major || (ofMajor === major && ofMinor >= minor);
    return isNewer ? undefined : `RabbitMQ ${version} is older than ${major}.${minor}`;
  };

  const begin = (options?: Partial<RabbitmqOptions>) => declared(server.url, options);
  const admin = (work: (channel: Channel) => Promise<unknown>) => asAdmin(server.url, work);

  it('quorum queues have priorities, also of messages that are delayed or fail, beside programs that give none', async ({
    skip,
  }) => {
    const older = before(4, 3);
    if (older !== undefined) return skip(older);
    const { driver, prefix } = await begin({ priorities: true });
    expect(driver.capabilities).toMatchObject({ priority: true, crashCount: true });
    await using failing = new Reader(driver, topic, group, {
      prefetch: 1,
      each: each => each.nack({ requeueAfterMs: 1_000 }),
    });
    await send(driver, topic, message('failed', { priority: 8 }));
    await soon(async () => expect(failing.received).toHaveLength(1));
    await failing[Symbol.asyncDispose]();
    const priorities = [0, 5, 9, 1, undefined, 5, 0, 9];
    await send(
      driver,
      topic,
      message('delayed', { priority: 7, delayMs: 500 }),
      ...priorities.map(priority => message(`${priority}`, { priority })),
    );
    await using plain = rabbitmq({ url: server.url, prefix });
    await send(plain, topic, message('plain'));
    await soon(async () =>
      expect(await driver.stats!(topic, group)).toMatchObject({ waiting: priorities.length + 3 }),
    );
    await using reader = new Reader(driver, topic, group, { prefetch: 1, each: each => each.ack() });
    await soon(async () => expect(reader.received).toHaveLength(priorities.length + 3));
    const order = ['9', '9', 'failed', 'delayed', '5', '5', '1', '0', 'undefined', '0', 'plain'];
    expect(reader.texts).toEqual(order);
  });

  it('priorities of quorum queues are refused where the server does not have them', async ({ skip }) => {
    if (before(4, 3) === undefined) return skip(`RabbitMQ ${version} has them`);
    const driver = rabbitmq({ url: server.url, prefix: randomUUID(), priorities: true });
    onTestFinished(() => driver[Symbol.asyncDispose]());
    await expect(driver.declare(topic, group)).rejects.toThrow(/`priorities` must be false.*before 4\.3/);
    const [published] = await driver.publish(topic, [message('one', { priority: 3 })]);
    expect(published).toEqual({ ok: false, outcome: 'NotExecuted', error: expect.any(InvalidOptionError) });
    await using queue = new Queue(rabbitmq({ url: server.url, priorities: true }), {
      messages: messages<{ topic: string }>(),
    });
    await expect(queue.publish('topic', 'one', { priority: 3 })).rejects.toThrow(InvalidOptionError);
    await expect(queue.subscribe('topic', () => {}, { crashes: 3 })).rejects.toThrow(InvalidOptionError);
  });

  it('a message fails and is delayed more often than a quorum queue hands it out by itself, and is no cycle (rabbitmq/rabbitmq-server 11937, celery/celery 9867)', async () => {
    const { driver } = await begin();
    await send(driver, topic, message('stubborn'));
    await using reader = new Reader(driver, topic, group, {
      prefetch: 1,
      each: each => each.nack({ requeueAfterMs: each.failures! % 5 === 0 ? 1 : 0 }),
    });
    await soon(async () => expect(reader.received.length).toBeGreaterThan(30));
    expect(reader.received.slice(0, 30).map(({ deliveries, failures }) => [deliveries, failures])).toEqual(
      times(30, n => [n + 1, n]),
    );
    expect(await driver.stats!(topic, group)).toMatchObject({ dead: 0 });
  });

  it('what is handed out more often than the server lets it be, is a dead letter and no message lost (Particular/NServiceBus.RabbitMQ, taskiq-python/taskiq-aio-pika 35)', async ({
    skip,
  }) => {
    const older = before(4, 0);
    if (older !== undefined) return skip(older);
    const { driver, prefix } = await begin();
    await send(driver, topic, message('poison'));
    const letters = () => driver.inspect!(topic, group, { limit: 9 });
    for (let deaths = 0; (await letters()).length === 0; deaths++) {
      expect(deaths).toBeLessThan(40);
      const dying = rabbitmq({ url: server.url, prefix });
      await using reader = new Reader(dying, topic, group);
      await soon(async () => expect(reader.received.length + (await letters()).length).toBeGreaterThan(0));
      if (reader.received.length > 0) expect(reader.received[0]!.deliveries).toBe(deaths + 1);
      await dying[Symbol.asyncDispose]();
    }
    expect(await letters()).toMatchObject([{ reason: 'RabbitMQ: delivery_limit' }]);
  });

  it('counts that another program has copied from a message, as shovels do, are not those of this one (rebus-org/Rebus.RabbitMq 114, rabbitmq/rabbitmq-server 7907)', async () => {
    const { driver, prefix } = await begin();
    const acquired = before(4, 3) === undefined && { 'x-acquired-count': 50 };
    const headers = { 'x-delivery-count': 50, ...acquired, 'x-death': [{ count: 9 }] };
    await admin(async channel => {
      channel.publish(`${prefix}:${topic}`, '', Buffer.from('moved'), { headers });
      await channel.checkQueue(`${prefix}:${topic}:${group}`);
    });
    const dying = rabbitmq({ url: server.url, prefix });
    await using first = new Reader(dying, topic, group);
    await soon(async () => expect(first.received).toHaveLength(1));
    await dying[Symbol.asyncDispose]();
    await using second = new Reader(driver, topic, group);
    await soon(async () => expect(second.received).toHaveLength(1));
    expect([...first.received, ...second.received].map(({ deliveries }) => deliveries)).toEqual([1, 2]);
  });

  it('uses nothing that RabbitMQ is about to take away (celery/kombu 2237, apache/airflow 69704, celery/celery 6067)', async ({
    skip,
  }) => {
    const older = before(4, 0);
    if (older !== undefined) return skip(older);
    for (const queueType of ['quorum', 'classic'] as const) {
      const { driver } = await begin({ queueType });
      await send(driver, topic, message('a', { delayMs: 10 }), message('b'));
      await using reader = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'no' }) });
      await soon(async () => expect(reader.received).toHaveLength(2));
    }
    const used = await server.control('-q', '--formatter', 'json', 'list_deprecated_features', '--used');
    expect(JSON.parse(used)).toEqual([]);
  });

  it('a body of more than 16 MiB is refused as the server has it, and the others are not (rabbitmq/rabbitmq-server 11455, rabbitmq/amqp091-go 285)', async ({
    skip,
  }) => {
    const older = before(4, 0);
    if (older !== undefined) return skip(older);
    const { driver } = await begin();
    const large = message('', { body: Buffer.alloc(16 * 2 ** 20 + 1) });
    const code = 'ASHLAR_QUEUE_INVALID_PAYLOAD';
    expect(await driver.publish(topic, [large])).toMatchObject([
      { ok: false, outcome: 'NotExecuted', error: { code } },
    ]);
    await send(driver, topic, message('small'));
  });

  it('a policy of the operator that holds back what comes again, is heeded (rabbitmq/rabbitmq-server 13885)', async ({
    skip,
  }) => {
    const older = before(4, 3);
    if (older !== undefined) return skip(older);
    const { driver, prefix } = await begin();
    const policy = '{"delayed-retry-type":"all","delayed-retry-min":500,"delayed-retry-max":1000}';
    await server.control('set_policy', '--apply-to', 'quorum_queues', prefix, `^${prefix}`, policy);
    onTestFinished(() => server.control('clear_policy', prefix).then(() => {}));
    await send(driver, topic, message('one'));
    const dying = rabbitmq({ url: server.url, prefix });
    await using first = new Reader(dying, topic, group);
    await soon(async () => expect(first.received).toHaveLength(1));
    await dying[Symbol.asyncDispose]();
    await using second = new Reader(driver, topic, group);
    await soon(async () => expect(second.received).toHaveLength(1));
    expect(second.received[0]).toMatchObject({ deliveries: 2, failures: 0 });
    await second.received[0]!.nack({ requeueAfterMs: 1 });
    await soon(async () => expect(second.received).toHaveLength(2));
    expect(second.received[1]).toMatchObject({ deliveries: 3, failures: 1 });
  });

  it('a quorum queue that has no leader disturbs no other group for long (rabbitmq/rabbitmq-server 14675, 14779, 17531)', async () => {
    let connections = 0;
    const url = () => {
      connections++;
      return server.url;
    };
    const { driver, prefix } = await begin({ url });
    await driver.declare(topic, 'broken');
    await send(driver, topic, message('one'));
    await using reader = new Reader(driver, topic, group);
    await soon(async () => expect(reader.received).toHaveLength(1));
    const member = `quorum_queues, {'%2F_${prefix}:${topic}:broken', node()}`;
    await server.control('eval', `ok = ra:stop_server(${member}).`);
    await using broken = new Reader(driver, topic, 'broken');
    // The first attempt ends the connection of all
    await soon(async () => expect(reader.received).toHaveLength(2));
    const before = connections;
    await soon(async () => expect(connections).toBeGreaterThan(before + 5));
    expect(reader.received).toHaveLength(2);
    await reader.received[1]!.ack();
    await server.control('eval', `ok = ra:restart_server(${member}).`);
    await soon(async () => expect(broken.texts).toEqual(['one']));
  }, 180_000);
});
