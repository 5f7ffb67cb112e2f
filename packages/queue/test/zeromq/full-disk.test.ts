import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@workspace/services';
import { afterEach, expect, it } from 'vitest';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import { type Delivery, type Driver, type OutgoingMessage, QueueUnavailableError } from '../../src/index.ts';
import {
  limitFiles,
  startZeroMQ,
  type ZeroMQServer,
  type ZeroMQServerOptions,
} from '../support/zeromq-server.ts';

const soon = { withinMs: 20_000 };
let server: ZeroMQServer | undefined;
afterEach(() => server?.stop());

/** A broker with so many messages whose disk has no room for more, and a client. */
async function onFullDisk(
  log: NonNullable<ZeroMQServerOptions['log']>,
  count: number,
  options: ZeroMQServerOptions = {},
): Promise<Driver> {
  server = await startZeroMQ({ log, isLimited: true, ...options });
  const driver = zeromq({ connect: server.endpoint, durable: true, timeoutMs: 20_000 });
  await driver.declare('work', 'group');
  const batch = Array.from({ length: count }, (_, index) => message(`n${index}`, 500));
  expect(await driver.publish('work', batch)).toEqual(batch.map(() => ({ ok: true })));
  const { size } = await stat(join(server.directory, 'log', '00000001.log'));
  await limitFiles(server, size);
  return driver;
}

function message(id: string, bytes: number): OutgoingMessage {
  return { id, body: new Uint8Array(bytes), headers: {} };
}

it('refuses messages when the disk is full, and keeps what it has confirmed', async () => {
  const driver = await onFullDisk(true, 30);
  const refused = { ok: false, outcome: 'NotExecuted', error: expect.any(QueueUnavailableError) };
  for (const id of ['a', 'b'])
    expect(await driver.publish('work', [message(id, 1)])).toMatchObject([refused]);
  // Nothing of what was refused is there
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 30 });
  await driver[Symbol.asyncDispose]();
  await server!.kill();
  const log = { directory: join(server!.directory, 'log') };
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*', log });
  await using again = zeromq({ connect: broker.endpoint, durable: true });
  expect(await again.stats!('work', 'group')).toMatchObject({ waiting: 30 });
  expect(await again.publish('work', [message('a', 1)])).toEqual([{ ok: true }]);
});

it('takes what it has refused when there is room, however many other ids came meanwhile', async () => {
  const driver = await onFullDisk(true, 30, { maxIds: 1 });
  const batch = ['a', 'b', 'c'].map(id => message(id, 1));
  const refused = { ok: false, outcome: 'NotExecuted' };
  expect(await driver.publish('work', batch)).toMatchObject([refused, refused, refused]);
  await limitFiles(server!, 'unlimited');
  for (const each of [batch[1]!, batch[0]!, batch[2]!]) {
    expect(await driver.publish('work', [each])).toEqual([{ ok: true }]);
  }
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 33 });
  await driver[Symbol.asyncDispose]();
});

it('hands out no more than there are places while what was settled cannot be kept, and goes on when there is room', async () => {
  const driver = await onFullDisk(true, 30);
  const stop = new AbortController();
  const deliveries: Delivery[] = [];
  const acknowledged: Promise<void>[] = [];
  const consuming = (async () => {
    for await (const delivery of driver.consume('work', 'group', { prefetch: 3, signal: stop.signal })) {
      deliveries.push(delivery);
      acknowledged.push(delivery.ack());
    }
  })();
  await eventually(async () => expect(deliveries.length).toBe(3), soon);
  // Each answer comes after what the consumer has sent before it
  for (let i = 0; i < 5; i++) await driver.stats!('work', 'group');
  expect(deliveries.length).toBe(3);
  await limitFiles(server!, 'unlimited');
  await eventually(async () => expect(deliveries.length).toBe(30), soon);
  await Promise.all(acknowledged);
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 0, active: 0 });
  stop.abort();
  await consuming;
  await driver[Symbol.asyncDispose]();
});

it('begins nothing more when too much waits for the disk, says so at once, and goes on when there is room', async () => {
  const driver = await onFullDisk({ maxWaitingBytes: 20_000 }, 30);
  // Groups cannot be dropped again: what is told of them waits
  const declared = Array.from({ length: 120 }, (_, n) => driver.declare('work', `group-${n}`));
  const results = Promise.allSettled(declared);
  await expect(Promise.all(declared)).rejects.toThrow(/20\d{3} bytes wait for it/);
  const refused = { ok: false, outcome: 'NotExecuted', error: { code: 'ASHLAR_QUEUE_UNAVAILABLE' } };
  expect(await driver.publish('work', [message('more', 1)])).toMatchObject([refused]);
  for (const refused of [
    driver.declare('work', 'another'),
    driver.redrive!('work', 'group', {}),
    driver.purge!('work', 'group', {}),
    driver.pause!('work', 'group'),
    driver.probe!('work', 'group'),
  ]) {
    await expect(refused).rejects.toMatchObject({ code: 'ASHLAR_QUEUE_UNAVAILABLE', outcome: 'NotExecuted' });
  }
  const stop = new AbortController();
  const handled: string[] = [];
  const consuming = (async () => {
    for await (const delivery of driver.consume('work', 'group', { prefetch: 3, signal: stop.signal })) {
      handled.push(delivery.id);
      await delivery.ack();
    }
  })();
  await driver.stats!('work', 'group');
  expect(handled).toEqual([]);
  await limitFiles(server!, 'unlimited');
  await eventually(async () => expect(handled.length).toBe(30), soon);
  expect((await results).filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(50);
  expect(await driver.publish('work', [message('after', 1)])).toEqual([{ ok: true }]);
  stop.abort();
  await consuming;
  await driver[Symbol.asyncDispose]();
});
