import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { seededRandom } from '@ashlar/core';
import { freePorts } from '@workspace/services';
import { expect, it } from 'vitest';
import { startBroker, zeromq } from '../../src/adapters/zeromq.ts';
import type { Driver } from '../../src/index.ts';

async function works(driver: Driver, id: string): Promise<void> {
  await driver.declare('work', 'group');
  const message = { id, body: Buffer.from(id), headers: {} };
  expect(await driver.publish('work', [message])).toEqual([{ ok: true }]);
  const signal = new AbortController().signal;
  for await (const delivery of driver.consume('work', 'group', { prefetch: 1, signal })) {
    expect(delivery.id).toBe(id);
    await delivery.ack();
    break;
  }
}

const random = seededRandom(11);
const noise = Buffer.from(Array.from({ length: 100_000 }, () => Math.floor(random() * 256)));
const greeting = Buffer.concat([Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]), Buffer.alloc(52)]);
greeting.write('NULL', 12);

it('goes on when clients of other protocols come to its port', async () => {
  await using broker = await startBroker({ bind: 'tcp://127.0.0.1:*' });
  await using driver = zeromq({ connect: broker.endpoint });
  await works(driver, 'before');
  const sockets: Socket[] = [];
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\nHost: queue\r\n\r\n'),
    Buffer.from('CONNECT {"verbose":false}\r\nPING\r\n'),
    Buffer.from('*1\r\n$4\r\nPING\r\n'),
    Buffer.from('1603010200010001fc0303', 'hex'),
    noise,
    greeting.subarray(0, 11),
    // A greeting as it should be, and then a frame of 2^62 bytes
    Buffer.concat([greeting, Buffer.from([0x06, 0x40, 0, 0, 0, 0, 0, 0, 0]), noise]),
    Buffer.alloc(0),
  ]) {
    const socket = connect(Number(new URL(broker.endpoint).port), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(bytes);
    sockets.push(socket);
  }
  await works(driver, 'after');
  expect(broker.snapshot().clients).toBe(1);
  for (const socket of sockets) socket.destroy();
});

it.each([
  ['HTTP', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['nothing at all', () => {}],
])(
  'says that it has found no broker where somebody speaks %s',
  async (_, speak) => {
    const sockets = new Set<Socket>();
    const server = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('data', () => speak(socket));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await using driver = zeromq({ connect: `tcp://127.0.0.1:${port}`, timeoutMs: 4_000 });
    await expect(driver.declare('work', 'group')).rejects.toMatchObject({
      code: 'ASHLAR_QUEUE_TIMEOUT',
      outcome: 'NotExecuted',
      message: expect.stringMatching(
        /what listens at tcp:.+ does not accept the connection \(.+\); is it a broker/,
      ),
    });
    server.close();
    for (const socket of sockets) socket.destroy();
  },
  20_000,
);

it('says that keys are wrong, and connects when the broker has the right ones', async () => {
  const { curveKeyPair } = await import('zeromq');
  const keys = curveKeyPair();
  const [port] = (await freePorts(1)) as [number];
  const bind = `tcp://127.0.0.1:${port}`;
  const guarded = await startBroker({
    bind,
    socket: { curveServer: true, curveSecretKey: keys.secretKey },
  });
  await using driver = zeromq({ connect: bind, timeoutMs: 1_000 });
  await expect(driver.declare('work', 'group')).rejects.toThrow(/with the same keys\?/);
  await guarded.close();
  await using _open = await startBroker({ bind });
  await expect
    .poll(() => driver.declare('work', 'group').then(() => true, String), { timeout: 20_000 })
    .toBe(true);
  await works(driver, 'after');
}, 30_000);
