import { join } from 'node:path';
import { eventually, freePorts, temporaryDirectory } from '@workspace/services';
import { expect, it, onTestFinished } from 'vitest';
import { type BrokerOptions, startBroker, type ZeroMQOptions, zeromq } from '../../src/adapters/zeromq.ts';
import { group, message, Reader, send, topic } from '../../src/conformance/subject.ts';

/** What users of ZeroMQ have reported of addresses, and of sockets that are closed while something is on its way, tried here. */

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

it('is found by `localhost`, also where it listens everywhere (zeromq/pyzmq 269)', async () => {
  for (const bind of ['tcp://127.0.0.1:*', 'tcp://*:*', 'tcp://0.0.0.0:*']) {
    const broker = await begin({ bind });
    const port = broker.endpoint.split(':').at(-1);
    for (const connect of [`tcp://localhost:${port}`, broker.endpoint]) {
      const driver = open({ connect });
      await driver.declare(topic, group);
      expect(await driver.publish(topic, [message('one')])).toEqual([{ ok: true }]);
    }
    await broker.close();
  }
});

it('an address that is taken is an error, and what the broker had begun is undone (zeromq/pyzmq 1862)', async () => {
  const [port] = (await freePorts(1)) as [number];
  const bind = `tcp://127.0.0.1:${port}`;
  const first = await begin({ bind });
  const log = { directory: join(temporaryDirectory('zeromq'), 'log') };
  await expect(startBroker({ bind, log })).rejects.toMatchObject({
    code: 'ASHLAR_QUEUE_UNAVAILABLE',
    message: expect.stringMatching(/cannot listen at .*in use/),
  });
  const other = await begin({ log }); // The log is free
  await first.close();
  await other.close();
  await begin({ bind, log });
});

it('an address where nobody is, or that does not resolve, is waited for as long as a call may take (zeromq/pyzmq 153)', async () => {
  const [port] = (await freePorts(1)) as [number];
  const path = `ipc://${join(temporaryDirectory('zeromq'), 'nobody')}`;
  for (const connect of ['tcp://no-such-host.invalid:5555', `tcp://127.0.0.1:${port}`, path]) {
    const driver = open({ connect, timeoutMs: 300 });
    const [published] = await driver.publish(topic, [message('one')]);
    expect(published).toMatchObject({ ok: false, error: { retryable: true } });
    await expect(driver.declare(topic, group)).rejects.toMatchObject({ retryable: true });
  }
});

it('what is on its way when a driver is closed settles, and is there when it was confirmed (JustinTulloss/zeromq.node 240, zeromq/libzmq 1264)', async () => {
  const broker = await begin();
  const reader = open({ connect: broker.endpoint });
  await reader.declare(topic, group);
  let confirmed = 0;
  for (let round = 0; round < 20; round++) {
    const driver = zeromq({ connect: broker.endpoint, timeoutMs: 20_000 });
    if (round % 2 === 0) await send(driver, topic, message('first')).then(() => confirmed++);
    const publishing = driver.publish(topic, [message('last')]);
    if (round % 4 < 2) await new Promise(resolve => setImmediate(resolve));
    await driver[Symbol.asyncDispose]();
    const [published] = await publishing;
    if (published!.ok) confirmed++;
    else expect(published).toMatchObject({ error: { code: expect.stringMatching(/^ASHLAR_QUEUE/) } });
  }
  const { waiting } = await reader.stats!(topic, group);
  expect(waiting).toBeGreaterThanOrEqual(confirmed);
});

it('a broker takes the place of one that was closed over ipc, again and again (zeromq/libzmq 2764, smg-project/smg 2076)', async () => {
  const bind = `ipc://${join(temporaryDirectory('zeromq'), 'socket')}`;
  const log = { directory: join(temporaryDirectory('zeromq'), 'log') };
  const driver = open({ connect: bind });
  let broker = await begin({ bind, log });
  await driver.declare(topic, group);
  await using reader = new Reader(driver, topic, group, { each: each => each.ack().catch(() => {}) });
  for (const text of ['0', '1', '2', '3']) {
    await send(driver, topic, message(text));
    await broker.close();
    broker = await begin({ bind, log });
  }
  await soon(async () => expect(new Set(reader.texts)).toEqual(new Set(['0', '1', '2', '3'])));
});

it('an address of ipc that another broker has is not taken from it (zeromq/libzmq 2059, zeromq/pyzmq 209, zeromq/erlzmq2 41)', async () => {
  const bind = `ipc://${join(temporaryDirectory('zeromq'), 'socket')}`;
  await begin({ bind });
  const before = open({ connect: bind });
  await before.declare(topic, group);
  await expect(startBroker({ bind })).rejects.toMatchObject({
    code: 'ASHLAR_QUEUE_UNAVAILABLE',
    message: expect.stringMatching(/cannot listen at .*in use/),
  });
  const after = open({ connect: bind });
  expect(await after.publish(topic, [message('one')])).toEqual([{ ok: true }]);
  expect(await before.stats!(topic, group)).toMatchObject({ waiting: 1 });
});
