import { once } from 'node:events';
import { createServer } from 'node:http';
import { upgrade } from 'undici';
import { describe, expect, it } from 'vitest';
import { aAndB, dispatching } from '../../support/dispatching.ts';
import { listening } from '../../support/servers/listening.ts';
import { until } from '../../support/until.ts';

const url = 'http://shop/live';

describe('a switch of protocols', () => {
  it('is handed on, and in flight for as long as it lasts', async () => {
    const { dispatcher, lb } = await aAndB();
    const { socket, headers } = await upgrade(url, { dispatcher, protocol: 'echo' });
    expect(headers['x-replica']).toBe('a');
    const read = once(socket, 'data');
    socket.write('ping');
    expect(String((await read)[0])).toContain('"url":"/live"');
    expect(lb.snapshot().inFlight).toBe(1);
    socket.on('data', () => {}).end('bye');
    await until(() =>
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 1 }, {}] }),
    );
  });

  it.each(['reset', 'silent', 'unavailable'])('goes to another endpoint when the first is %s', async mode => {
    const { dispatcher } = await aAndB(mode, { headersTimeoutMs: 1_000 });
    const { socket, headers } = await upgrade(url, { dispatcher, protocol: 'echo' });
    expect(headers['x-replica']).toBe('b');
    socket.destroy();
  });

  it('ends with the balancer', async () => {
    const { dispatcher, lb } = await aAndB();
    const { socket } = await upgrade(url, { dispatcher, protocol: 'echo' });
    const closed = once(
      socket.on('error', () => {}).on('data', () => {}),
      'close',
    );
    await lb.close();
    await closed;
  });

  it('is a tunnel through an endpoint with CONNECT', async () => {
    const server = createServer();
    server.on('connect', (request, socket) => {
      socket.write(`HTTP/1.1 200 Connected\r\nx-target: ${request.url}\r\n\r\n`);
      socket.on('error', () => {}).pipe(socket);
    });
    const { url: proxy } = await listening(server);
    const { dispatcher } = dispatching([{ id: 'a', url: proxy }]);
    const { socket, headers } = await dispatcher.connect({ origin: 'http://shop', path: '10.0.0.1:5432' });
    expect(headers['x-target']).toBe('10.0.0.1:5432');
    socket.write('ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
    socket.destroy();
  });
});
