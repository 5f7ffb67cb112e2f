import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelIdleError } from '../../../../src/adapters/proxy.ts';
import { front } from '../../../support/front.ts';
import { heard } from '../../../support/heard.ts';
import { Replica } from '../../../support/servers/replica.ts';
import { scripted } from '../../../support/servers/scripted.ts';
import { until } from '../../../support/until.ts';

const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

function client(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(upgrade);
  return socket;
}

const ways: [string, (socket: Socket) => void][] = [
  ['FIN', socket => void socket.end()],
  ['destroy', socket => void socket.destroy()],
  ['RST', socket => void socket.resetAndDestroy()],
  ['FIN after early bytes', socket => void socket.end('early')],
];

describe('a client that leaves while the endpoint is asked to switch', () => {
  it.each(ways)('by %s ends that request at once, and nobody is blamed', async (_, leave) => {
    const silent = await scripted(() => {});
    const { port, lb, connections } = await front([silent, { ...silent, id: 'b' }]);
    const socket = client(port);
    await until(() => expect(silent.requests).toHaveLength(1));
    leave(socket);
    await until(() => expect([silent.connections(), connections()]).toEqual([0, 0]));
    expect(lb.snapshot()).toMatchObject({
      inFlight: 0,
      retries: 0,
      endpoints: [{ canceled: 1, failed: 0 }, {}],
    });
  });
});

describe('an open tunnel', () => {
  it('outlives the timeout of an attempt, and so does a stream', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const attemptTimeoutMs = 1_000;
    const { port, url, lb } = await front([a], {}, { retry: { attemptTimeoutMs } });
    const stream = (await fetch(`${url}/events`)).body!.getReader();
    await stream.read();
    const begun = performance.now();
    const socket = client(port);
    await once(socket, 'data');
    while (performance.now() - begun < attemptTimeoutMs * 1.5) {
      socket.write('ping');
      await once(socket, 'data');
    }
    expect(lb.snapshot()).toMatchObject({ inFlight: 2, endpoints: [{ failed: 0 }] });
    socket.end('bye');
    await once(socket, 'close');
    await a.mode('ok'); // ends the stream
    while (!(await stream.read()).done);
    await until(() => expect(lb.snapshot()).toMatchObject({ endpoints: [{ succeeded: 2, failed: 0 }] }));
  });

  it('ends when both sides are silent for too long, and nobody is blamed', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { messages, stop } = heard('proxy-error');
    onTestFinished(() => void stop());
    const { port, lb } = await front([a], { tunnelIdleTimeoutMs: 100 });
    const socket = client(port);
    await once(socket, 'data');
    await once(socket.resume(), 'close');
    await a.saw('tunnelClosed');
    expect(messages).toMatchObject([{ error: expect.any(TunnelIdleError), status: undefined }]);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ canceled: 1, failed: 0 }] });
  });

  it('hands on what the client sent before the answer', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { port } = await front([a]);
    const socket = client(port).setEncoding('latin1');
    let text = '';
    socket.on('data', part => {
      text += part;
    });
    socket.write('one');
    await once(socket, 'connect');
    const rest = 'x'.repeat(300_000);
    socket.write(rest);
    await until(() => expect(text.endsWith(`one${rest}`)).toBe(true));
  });
});
