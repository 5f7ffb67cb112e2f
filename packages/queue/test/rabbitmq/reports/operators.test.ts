import { once } from 'node:events';
import { type AddressInfo, connect as connectTo, createServer } from 'node:net';
import { eventually, type RabbitServer, startRabbit, startTcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import type { Channel } from 'amqplib';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type RabbitmqOptions, rabbitmq } from '../../../src/adapters/rabbitmq.ts';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { messages, Queue } from '../../../src/index.ts';
import { asAdmin, declared } from './site.ts';

/** What users of RabbitMQ have reported of servers that are set otherwise, meddled with, or away for a while, tried here. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 60_000 });

describeWith({ own: 'rabbitmq' }, 'reports of servers of RabbitMQ', () => {
  let server: RabbitServer;
  beforeAll(async () => {
    server = await startRabbit({ own: true });
  }, 120_000);
  afterAll(() => server?.stop());

  const begin = (options?: Partial<RabbitmqOptions>) => declared(server.url, options);
  const admin = (work: (channel: Channel) => Promise<unknown>) => asAdmin(server.url, work);

  it('queues for delays that someone has deleted are there again when they are needed (vyuldashev/laravel-queue-rabbitmq 606)', async () => {
    const { driver, prefix } = await begin();
    await send(driver, topic, message('a', { delayMs: 100 }));
    await using reader = new Reader(driver, topic, group);
    await soon(async () => expect(reader.received).toHaveLength(1));
    await reader.received[0]!.nack({ requeueAfterMs: 100 });
    await soon(async () => expect(reader.received).toHaveLength(2));
    const deleted = (...targets: string[]) =>
      admin(async channel => {
        for (const target of targets) {
          expect(await channel.deleteQueue(`${prefix}:${target}:delay:100`)).toEqual({ messageCount: 0 });
        }
      });
    await deleted(`${topic}:`, `${topic}:${group}`);
    await send(driver, topic, message('b', { delayMs: 100 }));
    await reader.received[1]!.nack({ requeueAfterMs: 100 });
    await soon(async () => expect(reader.texts.toSorted()).toEqual(['a', 'a', 'a', 'b']));
    // Also of a message that need reach no group
    await deleted(`${topic}:`);
    const late = message('c', { delayMs: 100 });
    expect(await driver.publish(topic, [late], { allowUnrouted: true })).toEqual([{ ok: true }]);
    await soon(async () => expect(reader.texts.toSorted()).toEqual(['a', 'a', 'a', 'b', 'c']));
  }, 180_000);

  it('dead letters can be looked at again and again where queues are quorum queues by default (rabbitmq/rabbitmq-website 1940, amiquip/amiquip 17)', async () => {
    await server.control('add_vhost', 'quorum', '--default-queue-type', 'quorum');
    await server.control('set_permissions', '-p', 'quorum', 'guest', '.*', '.*', '.*');
    for (const queueType of ['quorum', 'classic'] as const) {
      const { driver } = await begin({ url: `${server.url}/quorum`, queueType });
      await driver.declare(topic, group);
      await send(driver, topic, ...times(5, n => message(`${n}`)));
      await using reader = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'no' }) });
      await soon(async () => expect(reader.received).toHaveLength(5));
      for (const _ of times(25, n => n)) {
        const letters = await driver.inspect!(topic, group, { limit: 3 });
        expect(letters.map(({ body }) => Buffer.from(body).toString())).toEqual(['0', '1', '2']);
      }
      expect(await driver.purge!(topic, group, {})).toBe(5);
    }
  }, 180_000);

  it('an exchange that someone has deleted is declared again, and its group with it (moleculerjs/moleculer-channels 99)', async () => {
    const { driver, prefix } = await begin();
    await send(driver, topic, message('before'));
    await admin(channel => channel.deleteExchange(`${prefix}:${topic}`));
    const lost = await driver.publish(
      topic,
      times(5, n => message(`${n}`)),
    );
    expect(lost.filter(({ ok }) => ok)).toEqual([]);
    await soon(async () =>
      expect(await driver.publish(topic, [message('unrouted')])).toMatchObject([
        { ok: false, error: { code: 'ASHLAR_QUEUE_UNROUTED' } },
      ]),
    );
    await driver.declare(topic, group);
    await send(driver, topic, message('after'));
    await using reader = new Reader(driver, topic, group, { each: each => each.ack() });
    await soon(async () => expect(reader.texts).toEqual(['before', 'after']));
  });

  it('a group that is deleted under its subscription is gone on with as soon as it is there again (onebeyond/rascal 52, mxenabled/action_subscriber 103)', async () => {
    const { driver, prefix } = await begin();
    await using queue = new Queue(driver, { messages: messages<{ topic: string }>() });
    const handled: string[] = [];
    await queue.subscribe('topic', text => void handled.push(text), { group });
    await queue.publish('topic', 'before');
    await soon(async () => expect(handled).toEqual(['before']));
    await admin(channel => channel.deleteQueue(`${prefix}:${topic}:${group}`));
    await soon(() =>
      expect(queue.publish('topic', 'lost')).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_UNROUTED' }),
    );
    await soon(async () => expect((await queue.health()).ok).toBe(false));
    // RabbitMQ 3.10 may close the connection (541) while the quorum queue of that name still ends
    await soon(() => queue.declare('topic', group));
    await queue.publish('topic', 'after');
    await soon(async () => expect(handled).toEqual(['before', 'after']));
    await soon(async () => expect((await queue.health()).ok).toBe(true));
  }, 180_000);

  it('what comes back is told from what is stored, of many that are on their way (amqp-rs/lapin 252, Particular/NServiceBus.RabbitMQ 135)', async () => {
    const { driver } = await begin();
    const all = times(200, async n => {
      const [published] = await driver.publish(n % 2 === 0 ? topic : 'nobody', [message(`${n}`)], {
        allowUnrouted: n % 4 === 1,
      });
      return published!.ok;
    });
    expect(await Promise.all(all)).toEqual(times(200, n => n % 4 !== 3));
    expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 100 });
  });

  it('a look at dead letters whose connection is cut says so, and hides none of them (amqp-node/amqplib 51)', async () => {
    const proxy = await startTcpProxy({ target: server.port });
    onTestFinished(() => proxy.stop());
    const { driver, prefix } = await begin({ url: `amqp://guest:guest@127.0.0.1:${proxy.port}` });
    const count = 50;
    await send(driver, topic, ...times(count, n => message(`${n}`)));
    await using reader = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'no' }) });
    await soon(async () => expect(reader.received).toHaveLength(count));
    const dead = `${prefix}:${topic}:${group}:dead`;
    const left = async () => {
      let messageCount = 0;
      await admin(async channel => ({ messageCount } = await channel.checkQueue(dead)));
      return messageCount;
    };
    await soon(async () => expect(await left()).toBe(count));
    proxy.delay(200); // So that there is time to look at it
    for (const [what, outcome] of [
      ['inspect', 'NotExecuted'],
      ['purge', 'Unknown'],
    ] as const) {
      const looking =
        what === 'inspect'
          ? driver.inspect!(topic, group, { limit: count })
          : driver.purge!(topic, group, { ids: ['none'] });
      const said = expect(looking).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_UNAVAILABLE', outcome });
      await soon(async () => expect(await left()).toBeLessThan(count));
      proxy.cut();
      await said;
      await soon(async () => expect(await left()).toBe(count));
    }
    proxy.delay(0);
    await soon(async () => expect(await driver.inspect!(topic, group, { limit: 99 })).toHaveLength(count));
  }, 180_000);

  it('a purge whose acknowledgements are lost with their connection does not say that it was done', async () => {
    const { driver, prefix } = await begin();
    await send(driver, topic, message('one'));
    await using reader = new Reader(driver, topic, group, { each: each => each.nack({ dead: 'no' }) });
    await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, dead: 1 }));
    const acknowledgement = Buffer.from([0, 60, 0, 80]);
    const way = createServer(client => {
      const onward = connectTo(server.port, '127.0.0.1');
      const end = () => [client, onward].map(socket => socket.destroy());
      for (const socket of [client, onward]) socket.on('error', () => {}).on('close', end);
      onward.pipe(client);
      client.on('data', chunk => void (chunk.includes(acknowledgement) ? end() : onward.write(chunk)));
    });
    way.listen(0, '127.0.0.1');
    await once(way, 'listening');
    onTestFinished(() => void way.close());
    const url = `amqp://guest:guest@127.0.0.1:${(way.address() as AddressInfo).port}`;
    const far = rabbitmq({ url, prefix, timeoutMs: 20_000 });
    onTestFinished(() => far[Symbol.asyncDispose]());
    await expect(far.purge!(topic, group, {})).rejects.toMatchObject({
      code: 'ASHLAR_QUEUE_UNAVAILABLE',
      outcome: 'Unknown',
    });
    await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ dead: 1 }));
    expect(reader.texts).toEqual(['one']);
  });

  it('closes in its time while RabbitMQ lets nobody publish (amqp-node/amqplib 744, pika/pika 764)', async () => {
    const { driver } = await begin({ timeoutMs: 2_000 });
    await send(driver, topic, message('one'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    await soon(async () => expect(reader.received).toHaveLength(1));
    const before = await server.control('eval', 'vm_memory_monitor:get_vm_memory_high_watermark().');
    await server.control('set_vm_memory_high_watermark', '0.0001');
    onTestFinished(() => server.control('set_vm_memory_high_watermark', before.trim()).then(() => {}));
    expect(await driver.publish(topic, [message('two')])).toMatchObject([{ ok: false }]);
    await expect(reader.received[0]!.nack({})).rejects.toMatchObject({ retryable: true });
    await driver[Symbol.asyncDispose]();
  }, 180_000);

  it('goes over IPv6, where that is (amqp-node/amqplib 794, jwalton/node-amqp-connection-manager 313)', async ({
    skip,
  }) => {
    const relay = createServer(socket => {
      const onward = connectTo(server.port, '127.0.0.1');
      socket.pipe(onward).pipe(socket);
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        one.on('error', () => other.destroy());
      }
    });
    relay.listen(0, '::1');
    const hasIt = await once(relay, 'listening').then(
      () => true,
      () => false,
    );
    if (!hasIt) skip('there is no IPv6 here');
    onTestFinished(() => void relay.close());
    const { port } = relay.address() as AddressInfo;
    const { driver } = await begin({ url: `amqp://guest:guest@[::1]:${port}/%2F` });
    expect(await driver.publish(topic, [message('one')])).toEqual([{ ok: true }]);
    await driver[Symbol.asyncDispose]();
  });

  it('says so when its vhost is deleted, and goes on when that is there again (sensu/sensu 612, rabbitmq/rabbitmq-server 4260)', async () => {
    const make = async () => {
      await server.control('add_vhost', 'passing');
      await server.control('set_permissions', '-p', 'passing', 'guest', '.*', '.*', '.*');
    };
    await make();
    const { driver } = await begin({ url: `${server.url}/passing` });
    await using queue = new Queue(driver, { messages: messages<{ topic: string }>() });
    const handled: string[] = [];
    await queue.subscribe('topic', text => void handled.push(text), { group });
    await queue.publish('topic', 'before');
    await soon(async () => expect(handled).toEqual(['before']));
    await server.control('delete_vhost', 'passing');
    await soon(() => expect(queue.publish('topic', 'refused')).rejects.toThrow(/vhost.*does not exist/));
    await soon(async () => expect((await queue.health()).ok).toBe(false));
    await make();
    // The group was declared a moment ago, and is declared again with the connection
    await soon(async () => void (await queue.publish('topic', 'after')));
    await soon(async () => expect(handled).toContain('after'));
    await soon(async () => expect((await queue.health()).ok).toBe(true));
  }, 240_000);

  it('delays that end while the server is away end when it is back (rabbitmq/rabbitmq-server 37, rabbitmq/rabbitmq-delayed-message-exchange 25)', async () => {
    const { driver } = await begin();
    await send(driver, topic, message('late', { delayMs: 1_000 }), message('now'));
    await using reader = new Reader(driver, topic, group, { prefetch: 1 });
    await soon(async () => expect(reader.texts).toContain('now'));
    await server.persist();
    await server.kill();
    await new Promise(resolve => setTimeout(resolve, 1_500)); // The delay itself
    await server.restart();
    await using other = new Reader(driver, topic, group, { each: each => each.ack() });
    await eventually(async () => expect([...other.texts, ...reader.texts]).toContain('late'), {
      withinMs: 120_000,
    });
  }, 180_000);
});
