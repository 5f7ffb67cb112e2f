import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StallWatch } from '../../../../src/adapters/http/limits/stall-watch.ts';
import { sent } from '../../../../src/adapters/http/sent.ts';
import { ClientGoneError } from '../../../../src/adapters/proxy.ts';
import { front } from '../../../support/front.ts';
import { heard } from '../../../support/heard.ts';
import { listening } from '../../../support/servers/listening.ts';
import { Replica } from '../../../support/servers/replica.ts';
import { scripted } from '../../../support/servers/scripted.ts';
import { until } from '../../../support/until.ts';

function client(port: number): Socket {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {});
}

function gets(path: string, times: number): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(times);
}

describe('pipelined requests', () => {
  it('take turns, so that a client that does not read costs one response and no more, for so long', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { messages, stop } = heard('proxy-error');
    onTestFinished(() => void stop());
    const { port, lb, connections } = await front([a], { idleTimeoutMs: 1_000 });
    const socket = client(port).pause();
    socket.write(gets('/bytes/60000', 2_000));
    let most = 0;
    await once(socket, 'connect');
    await until(async () => {
      most = Math.max(most, lb.snapshot().inFlight, await a.mode('ok'));
      expect(messages).not.toEqual([]);
    });
    expect(most).toBeLessThanOrEqual(2);
    expect(messages[0]).toMatchObject({ error: expect.any(ClientGoneError), status: undefined });
    await until(() => expect([connections(), lb.snapshot().inFlight]).toEqual([0, 0]));
    const { failed, succeeded } = lb.snapshot().endpoints[0]!;
    expect(failed).toBe(0);
    expect(succeeded).toBeLessThan(500);
  });

  it('are all answered, in their order, while the client reads', async () => {
    const endpoint = await scripted((peer, request) => {
      const path = request.split(' ')[1]!;
      peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
    });
    const { port } = await front([endpoint]);
    const socket = client(port);
    let text = '';
    socket.on('data', part => {
      text += part;
    });
    const paths = Array.from({ length: 400 }, (_, i) => `/${i}`);
    for (let at = 0; at < paths.length; at += 100) {
      socket.write(
        paths
          .slice(at, at + 100)
          .map(path => gets(path, 1))
          .join(''),
      );
    }
    await until(() => expect(text).toMatch(/\/399$/));
    expect(text.match(/^\/\d+/gm)!.map(path => path.replace('HTTP', ''))).toEqual(paths);
    expect(endpoint.connections()).toBeLessThanOrEqual(2);
  });

  it('are read on only while fewer than 16 wait', async () => {
    let answer = () => {};
    const endpoint = await scripted(peer => {
      answer = () => void peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const { port, server } = await front([endpoint]);
    const connected = once(server, 'connection') as Promise<[Socket]>;
    let read = 0;
    server.on('request', () => void read++);
    const socket = client(port).setNoDelay();
    const [connection] = await connected;
    // One by one, as one piece is read whole; the first has its turn
    for (let given = 1; given <= 17; given++) {
      expect(connection.isPaused()).toBe(false);
      socket.write(gets('/', 1));
      await until(() => expect(read).toBe(given));
    }
    expect(connection.isPaused()).toBe(true);
    socket.write(gets('/', 1));
    answer();
    await until(() => expect(read).toBe(18));
  });

  it('are sent only when the one before is answered, and not once the client has left', async () => {
    let answer = () => {};
    const endpoint = await scripted(peer => {
      answer = () => void peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const { port, lb } = await front([endpoint]);
    const socket = client(port);
    socket.write(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi${gets('/2', 3)}`);
    await until(() => expect(endpoint.requests).toHaveLength(1));
    answer();
    await until(() => expect(endpoint.requests).toHaveLength(2));
    expect(endpoint.requests[1]).toMatch(/^GET \/2 /);
    socket.destroy();
    await until(() => expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }] }));
    expect(endpoint.requests).toHaveLength(2);
  });
});

describe.runIf(process.platform === 'linux')('how far bytes have come', () => {
  it('shows when the peer takes some, long before more can be written', async () => {
    const accepted: Socket[] = [];
    const server: Server = createServer(socket => void accepted.push(socket));
    const { port } = await listening(server);
    const reader = connect(port, '127.0.0.1').pause();
    onTestFinished(() => void reader.destroy());
    await until(() => expect(accepted).toHaveLength(1));
    const [writer] = accepted as [Socket];
    let drains = 0;
    const fill = () => {
      drains++;
      while (writer.write(Buffer.alloc(65_536)));
    };
    writer.on('drain', fill);
    fill();
    let before = '';
    let same = 0;
    await until(async () => {
      const now = await sent(writer, 0);
      same = now === before ? same + 1 : 0;
      before = now;
      expect(same).toBeGreaterThan(10);
    });
    drains = 0;
    for (let read = 0; read < 200_000; await new Promise(setImmediate)) {
      read += (reader.read() as Buffer | null)?.length ?? 0;
    }
    await until(async () => expect(await sent(writer, 0)).not.toBe(before));
    expect(drains).toBe(0);
  });
});

describe('a watch', () => {
  it('ends what stands still, and not what goes on', async () => {
    let state = 0;
    const stalled = await Promise.race([
      new Promise(resolve =>
        new StallWatch(
          20,
          async () => 'same',
          () => resolve('still'),
        ).start(),
      ),
      new Promise(resolve => {
        const moving = new StallWatch(
          20,
          async () => String(state++),
          () => resolve('moving'),
        );
        moving.start();
        onTestFinished(() => moving.end());
      }),
    ]);
    expect(stalled).toBe('still');
    await until(() => expect(state).toBeGreaterThan(8));
  });
});
