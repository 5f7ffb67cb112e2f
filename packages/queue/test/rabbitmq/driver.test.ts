import { randomUUID } from 'node:crypto';
import {
  eventually,
  type RabbitServer,
  startRabbit,
  startTcpProxy,
  type TcpProxy,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { rabbitmq } from '../../src/adapters/rabbitmq.ts';
import { Reader } from '../../src/conformance/subject.ts';
import { queueConformance } from '../../src/conformance.ts';
import {
  type Delivery,
  DeliveryLostError,
  type Driver,
  GroupGoneError,
  messages,
  type Published,
  Queue,
  QueueFullError,
  QueueUnavailableError,
} from '../../src/index.ts';

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 45_000 });

describeWith('rabbitmq', 'on RabbitMQ', () => {
  let server: RabbitServer;
  let proxy: TcpProxy;
  let url: string;
  beforeAll(async () => {
    server = await startRabbit({ own: true });
    proxy = await startTcpProxy({ target: server.port });
    url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
  }, 120_000);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  for (const queueType of ['quorum', 'classic'] as const) {
    queueConformance(
      { describe, it },
      async () => {
        const prefix = randomUUID();
        const drivers: Driver[] = [];
        const open = () => {
          const driver = rabbitmq({ url, prefix, queueType });
          drivers.push(driver);
          return driver;
        };
        return {
          driver: open(),
          other: async () => open(),
          break: async () => proxy.cut(),
          async [Symbol.asyncDispose]() {
            await Promise.all(drivers.map(driver => driver[Symbol.asyncDispose]()));
          },
        };
      },
      {
        name: `rabbitmq, ${queueType} queues`,
        capabilities: rabbitmq({ url: 'amqp://localhost', queueType }).capabilities,
        leases: false,
        features: { others: true, breaks: true },
      },
    );
  }

  const message = (id: string, body = id) => ({ id, body: Buffer.from(body), headers: {} });

  it('counts what a lost connection had in hands as a delivery, not as a failure', async () => {
    await using driver = rabbitmq({ url, prefix: randomUUID() });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('one')]);
    const stop = new AbortController();
    let seen = 0;
    for await (const each of driver.consume('topic', 'group', { prefetch: 1, signal: stop.signal })) {
      seen++;
      if (seen === 1) {
        proxy.cut();
        continue;
      }
      expect([each.deliveries, each.failures]).toEqual([2, 0]);
      await each.ack();
      break;
    }
  });

  it('pages of dead letters end where a message was published twice', async () => {
    await using driver = rabbitmq({ url, prefix: randomUUID() });
    await driver.declare('topic', 'group');
    const ids = ['first', 'twice', 'twice', 'last', 'first'];
    for (const id of ids) await driver.publish('topic', [message(id)]);
    await using _ = new Reader(driver, 'topic', 'group', { each: each => each.nack({ dead: 'no use' }) });
    await soon(async () => expect(await driver.stats!('topic', 'group')).toMatchObject({ dead: 5 }));
    const found: string[] = [];
    // More pages than that would never end
    for (let page = 0; page < 9; page++) {
      const after = found.at(-1);
      const letters = await driver.inspect!('topic', 'group', { limit: 1, ...(after && { after }) });
      found.push(...letters.map(({ id }) => id));
      if (letters.length === 0) break;
    }
    expect(found.toSorted()).toEqual(['first', 'last', 'twice']);
  });

  it('what RabbitMQ no longer hands out is a dead letter, and never gone (rabbitmq/rabbitmq-server 1889, rabbitmq/rabbitmq-website 2207)', async () => {
    const prefix = randomUUID();
    // Of itself from RabbitMQ 4 on, after 20 deliveries
    await server.control('set_policy', '--apply-to', 'queues', prefix, `^${prefix}`, '{"delivery-limit":2}');
    onTestFinished(() => server.control('clear_policy', prefix).then(() => {}));
    await using driver = rabbitmq({ url, prefix });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('poison')]);
    for (let death = 0; death < 3; death++) {
      await using dying = rabbitmq({ url, prefix });
      const options = { prefetch: 1, signal: new AbortController().signal };
      for await (const { id } of dying.consume('topic', 'group', options)) {
        expect(id).toBe('poison');
        break;
      }
    }
    const letters = () => driver.inspect!('topic', 'group', { limit: 9 });
    await soon(async () => expect(await letters()).toHaveLength(1));
    const [letter] = await letters();
    // RabbitMQ takes its count off
    expect(letter).toMatchObject({ id: 'poison', reason: 'RabbitMQ: delivery_limit', failures: 0 });
    expect(letter!.diedAtMs).toBeGreaterThan(Date.now() - 3_600_000);
    expect(await driver.redrive!('topic', 'group', {})).toBe(1);
    await using reader = new Reader(driver, 'topic', 'group', { prefetch: 1, each: each => each.ack() });
    await soon(async () => expect(reader.received.map(({ deliveries }) => deliveries)).toEqual([1]));
  });

  it('notices a queue that is deleted while it is consumed', async () => {
    const prefix = randomUUID();
    await using driver = rabbitmq({ url, prefix });
    await driver.declare('topic', 'group');
    await driver.probe!('topic', 'group');
    const options = { prefetch: 1, signal: new AbortController().signal };
    let isAlive = () => {};
    const consuming = new Promise<void>(resolve => {
      isAlive = resolve;
    });
    const ended = (async () => {
      for await (const _ of driver.consume('topic', 'group', { ...options, alive: isAlive })) return;
    })();
    await consuming;
    const admin = await connect(server.url);
    try {
      const channel = await admin.createChannel();
      await channel.deleteQueue(`${prefix}:topic:group`);
    } finally {
      await admin.close();
    }
    await expect(ended).rejects.toThrow(GroupGoneError);
    await expect(driver.probe!('topic', 'group')).rejects.toThrow(GroupGoneError);
  });

  it('refuses more than it may hold, and keeps what it has', async () => {
    await using driver = rabbitmq({ url, prefix: randomUUID(), maxMessages: 3 });
    await driver.declare('topic', 'group');
    let refused: Published | undefined;
    let confirmed = 0;
    for (let index = 0; index < 50; index++) {
      const [published] = await driver.publish('topic', [message(`${index}`)]);
      if (published!.ok) confirmed++;
      else refused = published;
    }
    // Another group of the topic might have taken it
    const error = expect.any(QueueFullError);
    expect(refused).toEqual({ ok: false, outcome: 'Unknown', error });
    expect((refused as { readonly error?: unknown }).error).toMatchObject({ outcome: 'Unknown' });
    const stop = new AbortController();
    const got = new Set<string>();
    for await (const each of driver.consume('topic', 'group', { prefetch: 1, signal: stop.signal })) {
      got.add(each.id);
      await each.ack();
      if (got.size === confirmed) break;
    }
    expect(got.size).toBe(confirmed);
  });

  it('counts what waits, what is dead and who consumes', async () => {
    await using driver = rabbitmq({ url, prefix: randomUUID() });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('a'), message('b'), message('c')]);
    const stop = new AbortController();
    const options = { prefetch: 1, signal: stop.signal };
    for await (const each of driver.consume('topic', 'group', options)) {
      await each.nack({ dead: 'for the test' });
      break;
    }
    const held: Delivery[] = [];
    const consuming = (async () => {
      for await (const each of driver.consume('topic', 'group', options)) held.push(each);
    })();
    const stats = () => driver.stats!('topic', 'group');
    await expect.poll(stats, { timeout: 10_000 }).toEqual({ waiting: 1, dead: 1, consumers: 1 });
    stop.abort();
    await consuming;
    await expect(driver.stats!('topic', 'unheard-of')).rejects.toThrow(GroupGoneError);
  });

  it('has priorities with classic queues, and refuses a budget for crashes that nobody counts', async () => {
    const types = { messages: messages<{ topic: string }>() };
    await using classic = new Queue(rabbitmq({ url, prefix: randomUUID(), queueType: 'classic' }), types);
    // @ts-expect-error a classic queue counts no deliveries
    const refused = classic.subscribe('topic', () => {}, { crashes: 3 });
    await expect(refused).rejects.toMatchObject({ feature: 'crashes', driver: 'rabbitmq' });
    await using quorum = new Queue(rabbitmq({ url, prefix: randomUUID() }), types);
    // @ts-expect-error a quorum queue has no priorities
    const unordered = quorum.publish('topic', 'one', { priority: 3 });
    await expect(unordered).rejects.toMatchObject({ feature: 'priority' });
  });

  it('keeps the priority of a message that is tried again', async () => {
    await using driver = rabbitmq({ url, prefix: randomUUID(), queueType: 'classic' });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [{ ...message('high'), priority: 9 }]);
    const order: string[] = [];
    const options = { prefetch: 1, signal: new AbortController().signal };
    for await (const each of driver.consume('topic', 'group', options)) {
      order.push(each.id);
      if (order.length === 1) {
        await driver.publish('topic', [message('low'), message('lower')]);
        await each.nack({});
      } else await each.ack();
      if (order.length === 4) break;
    }
    // One of the others may be on its way already
    expect(order.indexOf('high', 1)).toBeLessThan(3);
  });

  it('takes messages of other programs, each with an id of its own', async () => {
    const prefix = randomUUID();
    await using driver = rabbitmq({ url, prefix });
    await driver.declare('topic', 'group');
    const admin = await connect(server.url);
    const channel = await admin.createConfirmChannel();
    const headers = { 'ashlar-deliveries': 'many', 'ashlar-headers': 7, 'ashlar-key': 3 };
    for (const body of ['1', '2']) channel.publish(`${prefix}:topic`, '', Buffer.from(body), { headers });
    const table = { 'ashlar-headers': { a: 'b', c: 1 } };
    channel.publish(`${prefix}:topic`, '', Buffer.from('3'), { headers: table });
    await channel.waitForConfirms(); // A quorum queue that has no leader yet drops what nobody waits for
    await channel.close();
    await admin.close();
    const ids = new Set<string>();
    const options = { prefetch: 1, signal: new AbortController().signal };
    for await (const each of driver.consume('topic', 'group', options)) {
      const headers = String(each.body) === '3' ? { a: 'b' } : {};
      expect([each.deliveries, each.failures, each.headers, each.key]).toEqual([1, 0, headers, undefined]);
      ids.add(each.id);
      await each.ack();
      if (ids.size === 3) break;
    }
    expect(ids).not.toContain('');
  });

  it('has no more in hands than before when its connection was lost, and settles nothing of the old on the new (ruby-amqp/amqp 188, sstone/amqp-client 30, fedora-infra/fedora-messaging 208)', async () => {
    await using driver = rabbitmq({ url, prefix: randomUUID() });
    await driver.declare('topic', 'group');
    const ids = ['0', '1', '2', '3', '4', '5'];
    await driver.publish(
      'topic',
      ids.map(id => message(id)),
    );
    await using reader = new Reader(driver, 'topic', 'group', { prefetch: 2 });
    await soon(async () => expect(reader.received).toHaveLength(2));
    proxy.cut();
    await soon(async () => expect(reader.received).toHaveLength(4));
    await soon(async () => expect(await driver.stats!('topic', 'group')).toMatchObject({ waiting: 4 }));
    const [first, second, ...again] = reader.received;
    for (const old of [first, second]) await expect(old!.ack()).rejects.toThrow(DeliveryLostError);
    for (const each of again) await each.ack();
    await soon(async () => expect(reader.received).toHaveLength(6));
    for (const each of reader.received.slice(4)) await each.ack();
    await soon(async () => expect(reader.texts.slice(2).sort()).toEqual(ids));
  });

  it('goes on when its process has stood still past its heartbeats (amqp-node/amqplib 191)', async () => {
    await using driver = rabbitmq({ url: server.url, prefix: randomUUID(), heartbeatMs: 1_000 });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('before')]);
    await using reader = new Reader(driver, 'topic', 'group');
    await soon(async () => expect(reader.received).toHaveLength(1));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    const publishing = driver.publish('topic', [message('during')]);
    // It is sent, perhaps to nobody: then the message comes again
    await reader.received[0]!.ack().catch(error => expect(error).toBeInstanceOf(DeliveryLostError));
    const [published] = await publishing;
    if (!published!.ok) expect(published!.error).toBeInstanceOf(QueueUnavailableError);
    await soon(async () => expect(await driver.publish('topic', [message('after')])).toEqual([{ ok: true }]));
    await soon(async () => expect(reader.texts).toContain('after'));
    if (published!.ok) expect(reader.texts).toContain('during');
  });
});
