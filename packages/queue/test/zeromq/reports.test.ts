import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, freePorts, startTcpProxy, temporaryDirectory } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { type BrokerOptions, startBroker, type ZeroMQOptions, zeromq } from '../../src/adapters/zeromq.ts';
import { group, message, Reader, send, times, topic } from '../../src/conformance/subject.ts';
import { messages, Queue } from '../../src/index.ts';

/** What users of ZeroMQ have reported of brokers and clients that go and come, tried here. */

const soon = (attempt: () => Promise<void>): Promise<void> => eventually(attempt, { withinMs: 30_000 });

async function begin(options: Partial<BrokerOptions> = {}) {
  const broker = await startBroker({ bind: 'tcp://127.0.0.1:*', ...options });
  onTestFinished(() => broker.close());
  return broker;
}

function open(options: ZeroMQOptions<false>) {
  const driver = zeromq({ timeoutMs: 20_000, ...options });
  onTestFinished(() => driver[Symbol.asyncDispose]());
  return driver;
}

it('a broker that goes and comes again and again is found each time, and loses nothing (zeromq/zeromq.js 362, zeromq/netmq 675, zeromq/chumak 38)', async () => {
  const [port] = (await freePorts(1)) as [number];
  const bind = `tcp://127.0.0.1:${port}`;
  const log = { directory: join(temporaryDirectory('zeromq'), 'log') };
  const driver = open({ connect: bind });
  const declaring = driver.declare(topic, group); // There is no broker yet
  let broker = await startBroker({ bind, log });
  onTestFinished(() => broker.close());
  await declaring;
  await using reader = new Reader(driver, topic, group, { each: each => each.ack().catch(() => {}) });
  const texts = times(5, n => `${n}`);
  for (const text of texts) {
    await send(driver, topic, message(text));
    await broker.close();
    broker = await startBroker({ bind, log });
  }
  await soon(async () => expect([...new Set(reader.texts)].sort()).toEqual(texts));
  await soon(async () => expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0 }));
});

it('a process that stands still keeps what is in hands, the broker in it too (JustinTulloss/zeromq.node 102)', async () => {
  const broker = await begin({ leaseMs: 60_000 });
  const driver = open({ connect: broker.endpoint });
  await driver.declare(topic, group);
  await send(driver, topic, message('before'));
  await using reader = new Reader(driver, topic, group);
  await soon(async () => expect(reader.received).toHaveLength(1));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_500); // Longer than a client may be silent
  await reader.received[0]!.ack();
  await send(driver, topic, message('after'));
  await soon(async () => expect(reader.texts).toEqual(['before', 'after']));
  await reader.received[1]!.ack();
  expect(await driver.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0 });
});

it('nothing stays of clients that have gone (zeromq/libzmq 2823, zeromq/zmq.rs 216)', async () => {
  const broker = await begin({ leaseMs: 1_000 });
  const drivers = times(40, () => zeromq({ connect: broker.endpoint, timeoutMs: 20_000 }));
  await drivers[0]!.declare(topic, group);
  const readers = drivers.map(each => new Reader(each, topic, group, { prefetch: 1 }));
  await Promise.all(drivers.map((each, n) => send(each, topic, message(`${n}`))));
  await soon(async () => expect(readers.flatMap(({ texts }) => texts).length).toBeGreaterThan(0));
  for (const reader of readers) void reader[Symbol.asyncDispose]();
  await Promise.all(drivers.map(each => each[Symbol.asyncDispose]()));
  await soon(async () => expect(broker.snapshot().clients).toBe(0));
  const last = open({ connect: broker.endpoint });
  await using reader = new Reader(last, topic, group, { prefetch: 50, each: each => each.ack() });
  await soon(async () => expect(new Set(reader.texts).size).toBe(40));
});

it('a message is not dead for a client that is heard and hears nothing for many leases', async () => {
  const broker = await begin({ leaseMs: 1_000 });
  const proxy = await startTcpProxy({ target: Number(broker.endpoint.split(':').at(-1)) });
  onTestFinished(() => proxy.stop());
  const near = open({ connect: broker.endpoint });
  const queue = new Queue(open({ connect: `tcp://127.0.0.1:${proxy.port}` }), {
    messages: messages<{ topic: string }>(),
  });
  onTestFinished(() => queue.close());
  const handled: string[] = [];
  const subscription = await queue.subscribe(topic, text => void handled.push(text), { group, crashes: 2 });
  await queue.publish(topic, 'before');
  await soon(async () => expect(subscription.snapshot()).toMatchObject({ handled: 1 }));
  proxy.hush();
  const body = Buffer.from('"meanwhile"');
  await send(near, topic, { id: 'meanwhile', body, headers: { 'content-type': 'application/json' } });
  await delay(6_000);
  expect(await near.find!(topic, group, 'meanwhile')).toMatchObject({ deliveries: 1 });
  proxy.resume();
  await soon(async () => expect(subscription.snapshot()).toMatchObject({ handled: 2, dead: 0 }));
  expect(handled).toContain('meanwhile');
  expect(await near.stats!(topic, group)).toMatchObject({ waiting: 0, active: 0, dead: 0 });
}, 90_000);
