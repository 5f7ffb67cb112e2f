import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What clients have sent: frames by their names, such as `basic.publish` or `header`, and bytes. */
export interface Sent {
  readonly frames: Map<string, number>;
  bytes: number;
}

/** A way to RabbitMQ that counts what its clients send. */
export interface AmqpCounter extends AsyncDisposable {
  readonly port: number;
  /** What was sent since the last call. */
  take(): Sent;
}

const greetingBytes = 8;
const frameHeadBytes = 7;
const frameEndBytes = 1;
const frameTypes: Readonly<Record<number, string>> = { 2: 'header', 3: 'body', 8: 'heartbeat' };
/** By class and method, those that a bench names; the others go by their numbers. */
const methods: Readonly<Record<string, string>> = {
  '10.11': 'connection.start-ok',
  '10.31': 'connection.tune-ok',
  '10.40': 'connection.open',
  '10.50': 'connection.close',
  '20.10': 'channel.open',
  '20.40': 'channel.close',
  '40.10': 'exchange.declare',
  '50.10': 'queue.declare',
  '50.20': 'queue.bind',
  '60.10': 'basic.qos',
  '60.20': 'basic.consume',
  '60.30': 'basic.cancel',
  '60.40': 'basic.publish',
  '60.80': 'basic.ack',
  '60.120': 'basic.nack',
  '85.10': 'confirm.select',
};

export async function startAmqpCounter(target: number): Promise<AmqpCounter> {
  let sent: Sent = { frames: new Map(), bytes: 0 };
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, client => {
    const broker = connect({ port: target, host: '127.0.0.1', noDelay: true });
    const found = (name: string) => sent.frames.set(name, (sent.frames.get(name) ?? 0) + 1);
    const read = frameReader(found);
    client.on('data', (chunk: Buffer) => {
      sent.bytes += chunk.byteLength;
      read(chunk);
    });
    client.pipe(broker).pipe(client);
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    take() {
      const taken = sent;
      sent = { frames: new Map(), bytes: 0 };
      return taken;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Calls with the name of each frame of one connection. */
function frameReader(found: (name: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let isGreeted = false;
  return chunk => {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (!isGreeted) {
      if (rest.byteLength < greetingBytes) return;
      isGreeted = true;
      rest = rest.subarray(greetingBytes);
    }
    while (rest.byteLength >= frameHeadBytes) {
      const end = frameHeadBytes + rest.readUInt32BE(3) + frameEndBytes;
      if (rest.byteLength < end) return;
      found(frameTypes[rest[0]!] ?? methodOf(rest));
      rest = rest.subarray(end);
    }
  };
}

function methodOf(frame: Buffer): string {
  const number = `${frame.readUInt16BE(frameHeadBytes)}.${frame.readUInt16BE(frameHeadBytes + 2)}`;
  return methods[number] ?? number;
}
