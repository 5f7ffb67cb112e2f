import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { InvalidOptionError } from '@ashlar/core';
import { type RabbitServer, startRabbit, startTcpProxy, type TcpProxy } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { type Channel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type RabbitmqOptions, rabbitmq } from '../../src/adapters/rabbitmq.ts';
import {
  type Delivery,
  DeliveryLostError,
  type Driver,
  GroupGoneError,
  messages,
  Queue,
  QueueTimeoutError,
  QueueUnavailableError,
} from '../../src/index.ts';
import { withMethods } from '../support/with-methods.ts';

describeWith({ own: 'rabbitmq' }, 'connections to RabbitMQ', () => {
  let server: RabbitServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    server = await startRabbit({ own: true });
    proxy = await startTcpProxy({ target: server.port });
  }, 120_000);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });

  const open = (more: Partial<RabbitmqOptions<'quorum'>> = {}): Driver => {
    const url = `amqp://guest:guest@127.0.0.1:${proxy.port}`;
    return rabbitmq({ url, prefix: randomUUID(), ...more });
  };
  const message = (id: string) => ({ id, body: Buffer.from(id), headers: {} });
  const admin = async (work: (channel: Channel) => Promise<unknown>): Promise<void> => {
    const connection = await connect(server.url);
    try {
      await work(await connection.createChannel());
    } finally {
      await connection.close();
    }
  };
  /** Deliveries of the group, which are taken and not settled. */
  const taking = (driver: Driver, prefetch = 10): Delivery[] => {
    const stop = new AbortController();
    const taken: Delivery[] = [];
    const consuming = (async () => {
      const options = { prefetch, signal: stop.signal };
      for await (const each of driver.consume('topic', 'group', options)) taken.push(each);
    })().catch(() => {});
    onTestFinished(async () => {
      stop.abort();
      await consuming;
    });
    return taken;
  };
  const pause = () => {
    server.pause();
    onTestFinished(() => server.resume());
  };
  const until = (isSo: () => unknown) => expect.poll(isSo, { timeout: 60_000 }).toBeTruthy();

  it('lets consumers acknowledge while RabbitMQ is short of memory, and nobody publish', async () => {
    const prefix = randomUUID();
    const driver = open({ prefix, timeoutMs: 1_000 });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('one'), message('two')]);
    const taken = taking(driver);
    await until(() => taken.length === 2);
    const before = await server.control('eval', 'vm_memory_monitor:get_vm_memory_high_watermark().');
    await server.control('set_vm_memory_high_watermark', '0.0001');
    try {
      // RabbitMQ says so to who publishes, and only then
      await driver.publish('topic', [message('three')]);
      const [refused] = await driver.publish('topic', [message('four')]);
      expect(refused).toMatchObject({ ok: false, outcome: 'NotExecuted' });
      expect((refused as { error: Error }).error.message).toMatch(/let nobody publish for 1000 ms: .*memory/);
      for (const each of taken) if (each.id !== 'three') await each.ack();
    } finally {
      await server.control('set_vm_memory_high_watermark', before.trim());
    }
    await until(async () => (await driver.publish('topic', [message('five')]))[0]!.ok);
    await driver[Symbol.asyncDispose]();
    await using next = open({ prefix });
    const rest = taking(next);
    await until(() => rest.some(({ id }) => id === 'five'));
    expect(rest.map(({ id }) => id)).not.toContain('one');
    expect(rest.map(({ id }) => id)).not.toContain('two');
  }, 180_000);

  it('fails, and says so in health(), when its queue is deleted while it is away', async () => {
    const prefix = randomUUID();
    await using other = open({ prefix });
    await other.declare('topic', 'group');
    const mine = open({ prefix });
    const declaredElsewhere = withMethods(mine, { declare: async () => {} });
    await using queue = new Queue(declaredElsewhere, { messages: messages<{ topic: string }>() });
    await queue.subscribe('topic', () => {}, { group: 'group' });
    await until(() => queue.health().ok && queue.snapshot().subscriptions[0]!.silentMs !== undefined);
    await proxy.refuse();
    await admin(channel => channel.deleteQueue(`${prefix}:topic:group`));
    await proxy.accept();
    await until(() => queue.health().subscriptions[0]!.reason?.includes('does not exist'));
    await other.declare('topic', 'group');
    await until(() => queue.health().ok);
  });

  it('leaves no channel behind when its queue is deleted', async () => {
    const prefix = randomUUID();
    await using driver = open({ prefix });
    for (let round = 0; round < 3; round++) {
      await driver.declare('topic', 'group');
      const options = { prefetch: 1, signal: new AbortController().signal };
      let isAlive = () => {};
      const alive = new Promise<void>(resolve => {
        isAlive = resolve;
      });
      const ended = (async () => {
        for await (const _ of driver.consume('topic', 'group', { ...options, alive: isAlive })) return;
      })();
      await alive;
      await admin(channel => channel.deleteQueue(`${prefix}:topic:group`));
      await expect(ended).rejects.toThrow(GroupGoneError);
    }
    await until(
      async () => (await server.control('-q', 'list_channels', 'pid')).trim().split('\n').length <= 1,
    );
  }, 60_000);

  it('says Unknown of what was not confirmed when the server dies, and publishes when it is back', async () => {
    await using driver = open();
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('first')]);
    // A quorum queue that is killed right after its declaration does not come back on RabbitMQ 3.10
    await server.persist();
    server.pause();
    const batch = Array.from({ length: 50 }, (_, n) => message(`${n}`));
    const publishing = driver.publish('topic', batch);
    await server.kill();
    for (const each of await publishing) {
      expect(each).toMatchObject({ ok: false, outcome: 'Unknown', error: expect.any(QueueUnavailableError) });
    }
    await server.restart();
    await until(async () => (await driver.publish('topic', batch)).every(({ ok }) => ok));
  }, 120_000);

  it('settles every publish when connections are cut under load, and loses none that was confirmed', async () => {
    await using driver = open();
    await driver.declare('topic', 'group');
    const taken = taking(driver, 1_000);
    const confirmed = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const batch = Array.from({ length: 100 }, (_, n) => message(`${round}-${n}`));
      const publishing = driver.publish('topic', batch);
      if (round % 2 === 1) proxy.cut();
      for (const [index, each] of (await publishing).entries()) {
        if (each.ok) confirmed.add(batch[index]!.id);
        else expect(each.error).toBeInstanceOf(QueueUnavailableError);
      }
    }
    await until(() => [...confirmed].every(id => taken.some(each => each.id === id)));
  });

  it('notices a dead connection by its heartbeats, and has its messages again over another', async () => {
    await using driver = open({ heartbeatMs: 1_000, timeoutMs: 2_000 });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('one')]);
    const taken = taking(driver);
    await until(() => taken.length === 1);
    proxy.stall('present');
    const [published] = await driver.publish('topic', [message('two')]);
    expect(published).toMatchObject({ ok: false, outcome: 'Unknown', error: expect.any(QueueTimeoutError) });
    await until(() => taken.some((each, index) => index > 0 && each.id === 'one'));
    const again = taken.find((each, index) => index > 0 && each.id === 'one')!;
    expect([again.deliveries, again.failures]).toEqual([2, 0]);
    await expect(taken[0]!.ack()).rejects.toThrow(DeliveryLostError);
    await again.ack();
    proxy.resume();
    await until(async () => (await driver.publish('topic', [message('three')]))[0]!.ok);
  });

  it('keeps no socket of a server that is silent', async () => {
    const { url } = server;
    const before = new Set(openSockets(server.port)); // Those of the proxy
    const sockets = () => openSockets(server.port).filter(socket => !before.has(socket)).length;
    const noticing = open({ url, heartbeatMs: 1_000 });
    const closing = open({ url, heartbeatMs: 60_000, timeoutMs: 500 });
    for (const driver of [noticing, closing]) {
      await driver.declare('topic', 'group');
      await driver.publish('topic', [message('one')]);
    }
    expect(sockets()).toBe(4);
    pause();
    await closing[Symbol.asyncDispose]();
    await until(() => sockets() <= 2);
    await until(() => sockets() === 0);
    await noticing[Symbol.asyncDispose]();
  }, 60_000);

  it('has acknowledged what it was told to when it is closed at once', async () => {
    for (let round = 0; round < 5; round++) {
      const prefix = randomUUID();
      const driver = open({ prefix });
      await driver.declare('topic', 'group');
      await driver.publish(
        'topic',
        Array.from({ length: 20 }, (_, n) => message(`${n}`)),
      );
      const stop = new AbortController();
      const taken: Delivery[] = [];
      for await (const each of driver.consume('topic', 'group', { prefetch: 20, signal: stop.signal })) {
        if (taken.push(each) === 20) break;
      }
      await Promise.all(taken.map(each => each.ack()));
      await driver[Symbol.asyncDispose]();
      await using other = open({ prefix });
      expect(await other.stats!('topic', 'group')).toMatchObject({ waiting: 0 });
    }
  });

  it('keeps what is in hands when something else is refused', async () => {
    const prefix = randomUUID();
    await using driver = open({ prefix });
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('one')]);
    const taken = taking(driver);
    await until(() => taken.length === 1);
    await admin(channel => channel.assertExchange(`${prefix}:other`, 'direct'));
    await expect(driver.declare('other', 'group')).rejects.toThrow(QueueUnavailableError);
    await using different = open({ prefix, maxMessages: 1 });
    await expect(different.declare('topic', 'group')).rejects.toThrow(InvalidOptionError);
    await admin(channel => channel.deleteExchange(`${prefix}:topic`));
    expect(await driver.publish('topic', [message('two')])).toMatchObject([{ ok: false }]);
    await driver.declare('topic', 'group');
    await until(async () => (await driver.publish('topic', [message('three')]))[0]!.ok);
    await taken[0]!.ack();
    expect(taken.filter(({ id }) => id === 'one')).toHaveLength(1);
  });

  it('goes on when RabbitMQ closes a channel whose delivery nobody acknowledges', async () => {
    const timed = (ms: number, tickMs: number) =>
      server.control(
        'eval',
        `application:set_env(rabbit, consumer_timeout, ${ms}), application:set_env(rabbit, channel_tick_interval, ${tickMs}).`,
      );
    await timed(1_500, 500);
    onTestFinished(async () => void (await timed(1_800_000, 60_000)));
    await using driver = open();
    await driver.declare('topic', 'group');
    await driver.publish('topic', [message('slow')]);
    const taken = taking(driver);
    await until(() => taken.length === 2);
    expect(taken.map(({ id, deliveries, failures }) => [id, deliveries, failures])).toEqual([
      ['slow', 1, 0],
      ['slow', 2, 0],
    ]);
    await expect(taken[0]!.ack()).rejects.toThrow(DeliveryLostError);
    await taken[1]!.ack();
    await driver.publish('topic', [message('next')]);
    await until(() => taken.length === 3);
  }, 60_000);

  it('is not healthy while the server says nothing, though its socket is open', async () => {
    const driver = open({ heartbeatMs: 60_000, timeoutMs: 1_000 });
    const queue = new Queue(driver, { messages: messages<{ topic: string }>() });
    await queue.subscribe('topic', () => {});
    const silentMs = () => queue.snapshot().subscriptions[0]!.silentMs;
    await until(() => silentMs() !== undefined);
    pause();
    await until(() => silentMs()! > 7_000);
    await queue.close({ timeoutMs: 0 });
  }, 60_000);

  it('waits between attempts to connect', async () => {
    let attempts = 0;
    const hostile = createServer(socket => {
      attempts++;
      socket.destroy();
    });
    hostile.listen(0, '127.0.0.1');
    await once(hostile, 'listening');
    onTestFinished(() => void hostile.close());
    const url = `amqp://127.0.0.1:${(hostile.address() as AddressInfo).port}`;
    await using driver = rabbitmq({ url, timeoutMs: 2_000 });
    const error = await driver.declare('topic', 'group').catch(thrown => thrown);
    expect(error).toBeInstanceOf(QueueUnavailableError);
    expect(error.message).toMatch(/no connection to RabbitMQ within 2000 ms: .+/);
    expect(attempts).toBeGreaterThan(1);
    expect(attempts).toBeLessThan(15);
  });
});

/** Of this process, to that port. */
function openSockets(port: number): Socket[] {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): Socket[] };
  return handles.call(process).filter(({ remotePort }) => remotePort === port);
}
