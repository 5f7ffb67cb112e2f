import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@ashlar/core';
import { eventually, startTcpProxy } from '@workspace/services';
import { expect, it } from 'vitest';
import { Dealer } from 'zeromq';
import type { Packet } from '../../src/adapters/zeromq/packets.ts';
import { type Broker, type BrokerOptions, startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import {
  DeliveryLostError,
  type Driver,
  messages,
  type OutgoingMessage,
  Queue,
  QueueFullError,
  QueueUnavailableError,
  UnsafeBackendError,
} from '../../src/index.ts';
import { startZeroMQ } from '../support/zeromq-server.ts';

const soon = { withinMs: 20_000 };

function message(id: string, body: Uint8Array = Buffer.from(id)): OutgoingMessage {
  return { id, body, headers: {} };
}

function start(options: Partial<BrokerOptions> = {}): Promise<Broker> {
  return startBroker({ bind: 'tcp://127.0.0.1:*', ...options });
}

async function works(driver: Driver, id: string): Promise<void> {
  await driver.declare('work', 'group');
  expect(await driver.publish('work', [message(id)])).toEqual([{ ok: true }]);
  const stop = new AbortController();
  for await (const delivery of driver.consume('work', 'group', { prefetch: 1, signal: stop.signal })) {
    expect(delivery.id).toBe(id);
    await delivery.ack();
    break;
  }
}

it('drops what no client would send, and goes on', async () => {
  await using broker = await start();
  await using driver = zeromq({ connect: broker.endpoint });
  await works(driver, 'before');
  const random = seededRandom(7);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  const packet = (messages: readonly unknown[], more: Partial<Packet> = {}, bytes = noise(0)) => {
    const session = `s${random()}`;
    const head = { version: 1, session, type: 'data', n: 1, ack: 0, messages, ...more };
    return [Buffer.from(JSON.stringify(head)), bytes] as const;
  };
  const [head, bytes] = packet([{ type: 'hello', version: 1, durable: false }]);
  const bad: (readonly Buffer[])[] = [
    [],
    [noise(0)],
    [noise(20), noise(20), noise(20)],
    [Buffer.from('null'), noise(0)],
    [Buffer.from('[]'), noise(0)],
    [Buffer.from('{"version":1}'), noise(0)],
    [head, noise(9)],
    packet([null, 7, 'hello', [], {}, { type: 'unheard-of' }]),
    packet([{ type: 'call', id: 'x', operation: 'publish', args: [] }]),
    packet([{ type: 'call', id: 1, operation: '__proto__', args: [] }]),
    packet([{ type: 'call', id: 1, operation: 'publish', args: ['work', 5] }]),
    packet(
      [
        {
          type: 'call',
          id: 1,
          operation: 'publish',
          args: ['work', [{ id: 'x', headers: {}, priority: 1e9 }]],
          parts: [1],
        },
      ],
      {},
      noise(1),
    ),
    packet([{ type: 'leave', id: 1, parts: [-1, 'x'] }]),
    packet([{ type: 'settle', id: 1, how: 'constructor', token: '1', of: ['work', 'group', 'x'] }]),
    packet([{ type: 'settle', id: 1, how: 'ack', token: '1' }]),
    packet([{ type: 'consume', id: 1, topic: 'work', group: 'group', options: { prefetch: -1 } }]),
    packet([{ type: 'leave', id: 99 }]),
    packet([], { ack: 99 }),
    ...Array.from({ length: 300 }, () => {
      const changed = Buffer.from(head);
      for (let times = 0; times < 3; times++) {
        changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256);
      }
      return [changed, bytes];
    }),
  ];
  const stranger = new Dealer({ linger: 0 });
  stranger.connect(broker.endpoint);
  for (const frames of bad) await stranger.send(frames.length === 0 ? [''] : [...frames]);
  await eventually(async () => expect(broker.snapshot().malformed).toBeGreaterThan(50), soon);
  stranger.close();
  await works(driver, 'after');
  expect(await driver.stats!('work', 'group')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
});

it('says why a call cannot be', async () => {
  await using broker = await start({ maxMessages: 2 });
  await using driver = zeromq({ connect: broker.endpoint });
  await driver.declare('work', 'group');
  const published = await driver.publish(
    'work',
    ['a', 'b', 'c'].map(id => message(id)),
  );
  expect(published.map(({ ok }) => ok)).toEqual([true, true, false]);
  const [, , full] = published;
  expect(full).toMatchObject({ outcome: 'NotExecuted' });
  expect((full as { readonly error: Error }).error).toBeInstanceOf(QueueFullError);
  expect((full as { readonly error: Error }).error.message).toMatch(
    /group "group" of topic "work" holds its maximum of 2/,
  );
  expect(await driver.publish('nobody', [message('d')])).toMatchObject([
    { ok: false, outcome: 'NotExecuted' },
  ]);
});

it.each(['nonsense', 'tcp://', 'tcp://127.0.0.1', `ipc:///${'x'.repeat(300)}`])(
  'refuses %j as an endpoint',
  connect => {
    expect(() => zeromq({ connect })).toThrow(
      /^`connect` must be an endpoint \(.+`tcp:\/\/127\.0\.0\.1:5555`/,
    );
  },
);

it('refuses a client that asks for durability when it has no log', async () => {
  await using broker = await start();
  await using driver = zeromq({ connect: broker.endpoint, durable: true });
  await expect(driver.declare('work', 'group')).rejects.toThrow(UnsafeBackendError);
  await expect(driver.declare('work', 'group')).rejects.toThrow(/the broker has no log/);
});

it('waits for a broker as long as a call may, and refuses more bytes than may be on their way', async () => {
  await using driver = zeromq({ connect: 'tcp://127.0.0.1:9', timeoutMs: 300, maxUnconfirmedBytes: 1_000 });
  const first = driver.publish('work', [message('a', new Uint8Array(900))]);
  const [second] = await driver.publish('work', [message('b', new Uint8Array(200))]);
  expect(second).toMatchObject({ ok: false, outcome: 'NotExecuted' });
  expect((second as { readonly error: Error }).error).toBeInstanceOf(QueueUnavailableError);
  expect(await first).toMatchObject([{ outcome: 'NotExecuted', error: { code: 'ASHLAR_QUEUE_TIMEOUT' } }]);
});

it('goes over ipc, over IPv6 where that is, and over CURVE', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'queue-ipc-'));
  {
    await using broker = await start({ bind: `ipc://${directory}/queue.sock` });
    await using driver = zeromq({ connect: broker.endpoint });
    await works(driver, 'ipc');
  }
  await rm(directory, { recursive: true });
  if (networkInterfaces()['lo']?.some(({ address }) => address === '::1')) {
    await using broker = await start({ bind: 'tcp://[::1]:*' });
    await using driver = zeromq({ connect: broker.endpoint });
    await works(driver, 'six');
  }
  const { curveKeyPair } = await import('zeromq');
  const [server, client] = [curveKeyPair(), curveKeyPair()];
  const keys = { curveServer: true, curveSecretKey: server.secretKey };
  await using broker = await start({ socket: keys });
  const own = { curvePublicKey: client.publicKey, curveSecretKey: client.secretKey };
  await using driver = zeromq({
    connect: broker.endpoint,
    socket: { ...own, curveServerKey: server.publicKey },
  });
  await works(driver, 'curve');
  await using plain = zeromq({ connect: broker.endpoint, timeoutMs: 500 });
  await expect(plain.declare('work', 'group')).rejects.toMatchObject({ outcome: 'NotExecuted' });
});

it('settles over another connection, and over another session, what was handed out before', async () => {
  await using broker = await start({ leaseMs: 30_000 });
  const proxy = await startTcpProxy({ target: Number(new URL(broker.endpoint).port) });
  await using driver = zeromq({ connect: `tcp://127.0.0.1:${proxy.port}`, timeoutMs: 20_000 });
  await driver.declare('work', 'group');
  await driver.publish('work', [message('a'), message('b'), message('c')]);
  const stop = new AbortController();
  const consuming = driver
    .consume('work', 'group', { prefetch: 2, signal: stop.signal })
    [Symbol.asyncIterator]();
  const [a, b] = [(await consuming.next()).value!, (await consuming.next()).value!];
  proxy.cut();
  await a.ack();
  // Longer than a session: the broker has forgotten the client, and not the delivery
  await proxy.refuse();
  proxy.cut();
  await eventually(async () => expect(broker.snapshot().clients).toBe(0), soon);
  await proxy.accept();
  await b.ack();
  expect((await consuming.next()).value!.id).toBe('c');
  expect(await driver.stats!('work', 'group')).toMatchObject({ waiting: 0, active: 1 });
  stop.abort();
  await consuming.return!();
  await proxy.stop();
});

it('counts what a consumer has from before a lost session among its places', async () => {
  await using broker = await start({ leaseMs: 30_000 });
  const proxy = await startTcpProxy({ target: Number(new URL(broker.endpoint).port) });
  await using driver = zeromq({ connect: `tcp://127.0.0.1:${proxy.port}`, timeoutMs: 20_000 });
  await driver.declare('work', 'group');
  await driver.publish(
    'work',
    Array.from({ length: 10 }, (_, index) => message(`${index}`)),
  );
  const stop = new AbortController();
  const held: { ack(): Promise<void> }[] = [];
  const reading = (async () => {
    const options = { prefetch: 3, signal: stop.signal };
    for await (const delivery of driver.consume('work', 'group', options)) held.push(delivery);
  })();
  await eventually(async () => expect(held.length).toBe(3), soon);
  await proxy.refuse();
  proxy.cut();
  await eventually(async () => expect(broker.snapshot().clients).toBe(0), soon);
  await proxy.accept();
  await eventually(async () => expect(broker.snapshot().clients).toBe(1), soon);
  expect(await driver.stats!('work', 'group')).toMatchObject({ active: 3, waiting: 7 });
  expect(held.length).toBe(3);
  await held[0]!.ack();
  await eventually(async () => expect(held.length).toBe(4), soon);
  expect(await driver.stats!('work', 'group')).toMatchObject({ active: 3, waiting: 6 });
  stop.abort();
  await reading;
  await proxy.stop();
});

it('goes on when a broker without a log starts anew: groups are there again, what was in hands is lost', async () => {
  const server = await startZeroMQ();
  const driver = zeromq({ connect: server.endpoint, timeoutMs: 20_000 });
  await using queue = new Queue(driver, { messages: messages<{ work: number }>() });
  const handled: number[] = [];
  await queue.subscribe('work', async n => void handled.push(n));
  await queue.publish('work', 1);
  await eventually(async () => expect(handled).toEqual([1]), soon);
  await server.kill();
  await server.restart();
  await queue.publish('work', 2);
  await eventually(async () => expect(handled).toEqual([1, 2]), soon);
  expect(queue.health()).toMatchObject({ ok: true });
  await queue.close();
  await server.stop();
});

it('keeps deliveries in hands over the death of a broker with a log', async () => {
  const server = await startZeroMQ({ log: true, leaseMs: 20_000 });
  const driver = zeromq({ connect: server.endpoint, durable: true, timeoutMs: 20_000 });
  await driver.declare('work', 'group');
  await driver.publish('work', [message('a'), message('b')]);
  const stop = new AbortController();
  const consuming = driver
    .consume('work', 'group', { prefetch: 1, signal: stop.signal })
    [Symbol.asyncIterator]();
  const a = (await consuming.next()).value!;
  // Confirmed after the record of what was taken is in the log; a kill before that hands the message out again
  await driver.declare('another', 'group');
  await server.kill();
  const acknowledging = a.ack();
  await server.restart();
  await acknowledging;
  const b = (await consuming.next()).value!;
  expect([b.id, b.deliveries]).toEqual(['b', 1]);
  expect(await driver.find!('work', 'group', 'a')).toBeUndefined();
  await driver.cancel!('work', 'group', 'b');
  await expect(b.ack()).rejects.toThrow(DeliveryLostError);
  stop.abort();
  await consuming.return!();
  await driver[Symbol.asyncDispose]();
  await server.stop();
});

it('ends its process when all is closed', async () => {
  const program = `
    import { startBroker, zeromq } from '@ashlar/queue/zeromq';
    const broker = await startBroker({ bind: 'tcp://127.0.0.1:*' });
    const driver = zeromq({ connect: broker.endpoint });
    await driver.declare('work', 'group');
    await driver[Symbol.asyncDispose]();
    await broker.close();
    console.log('closed');
  `;
  const directory = join(import.meta.dirname, '../..');
  const main = ['--input-type=module', '-e', program];
  const child = spawn(process.execPath, ['--conditions=@ashlar/source', '--import=tsx', ...main], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', piece => {
    text += piece;
  });
  const code = await new Promise(resolve => child.once('exit', resolve));
  expect([text.trim(), code]).toEqual(['closed', 0]);
});
