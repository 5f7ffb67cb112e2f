import { createServer as createHttpServer, request } from 'node:http';
import { createServer, type Server } from 'node:net';
import * as undici from 'undici';
import { describe, expect, it } from 'vitest';
import { LoadBalancer } from '../../src/index.ts';
import { notExecuted } from '../../src/requests/classify.ts';
import { listening } from '../support/servers/listening.ts';

const clients: Record<string, (url: string) => Promise<unknown>> = {
  fetch: url => fetch(url, { method: 'POST', body: 'x' }),
  undici: url => undici.request(url, { method: 'POST', body: 'x' }),
  'node:http': url =>
    new Promise((resolve, reject) => {
      request(url, { method: 'POST' }, resolve).on('error', reject).end('x');
    }),
};

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => undefined).catch(error => error);
}

describe.each(Object.entries(clients))('an error of %s', (_, client) => {
  it('proves that nothing was sent when nobody listens, be it at one address or at two', async () => {
    const server = await listening(createServer());
    const { port } = server;
    await server.close();
    expect(notExecuted(await errorOf(client(`http://127.0.0.1:${port}/`)))).toBe(true);
    expect(notExecuted(await errorOf(client(`http://localhost:${port}/`)))).toBe(true);
  });

  it('proves nothing of an endpoint when it is of another place', async () => {
    const server = await listening(createServer());
    const { port } = server;
    await server.close();
    for (const host of ['127.0.0.1', 'localhost']) {
      const error = await errorOf(client(`http://${host}:${port}/`));
      expect(notExecuted(error, `http://${host}:${port}/below`)).toBe(true);
      expect(notExecuted(error, `http://${host}:${port - 1}`)).toBe(false);
      expect(notExecuted(error, `http://${host}`)).toBe(false);
      expect(notExecuted(error, `http://127.0.0.2:${port}`)).toBe(false);
    }
  });

  it.each<[string, (server: Server) => void]>([
    [
      'breaks',
      server => server.on('connection', socket => socket.once('data', () => socket.resetAndDestroy())),
    ],
    ['ends', server => server.on('connection', socket => socket.once('data', () => socket.end()))],
    [
      'turns to garbage',
      server => server.on('connection', socket => socket.once('data', () => socket.end('?!\n'))),
    ],
  ])('proves nothing when the connection %s', async (__, behave) => {
    const server = createServer();
    behave(server);
    const { port, close } = await listening(server);
    const error = await errorOf(client(`http://127.0.0.1:${port}/`));
    await close();
    expect(error).toBeInstanceOf(Error);
    expect(notExecuted(error)).toBe(false);
  });
});

it('sends a POST once whose endpoint redirects to where nobody listens', async () => {
  let executed = 0;
  const nowhere = await listening(createServer());
  await nowhere.close();
  const endpoints = await Promise.all(
    ['a', 'b'].map(async id => {
      const server = createHttpServer((_, response) => {
        executed++;
        response.writeHead(303, { location: nowhere.url }).end();
      });
      return { id, url: (await listening(server)).url };
    }),
  );
  await using lb = new LoadBalancer({ endpoints });
  const post = lb.run(({ endpoint, signal }) => fetch(endpoint.url, { method: 'POST', body: 'x', signal }));
  await expect(post).rejects.toThrow('fetch failed');
  expect(executed).toBe(1);
});

describe('notExecuted', () => {
  it('does not look for ever, and only into errors', () => {
    const loop: { cause?: unknown } = {};
    loop.cause = loop;
    for (const what of [loop, undefined, null, 'ECONNREFUSED', { errors: [] }])
      expect(notExecuted(what)).toBe(false);
    expect(notExecuted({ code: 'ENOTFOUND', syscall: 'getaddrinfo' })).toBe(true);
    for (const [error, is] of [
      [{ syscall: 'getaddrinfo', hostname: 'shop' }, true],
      [{ syscall: 'getaddrinfo', hostname: 'elsewhere' }, false],
      [{ syscall: 'connect', address: '10.0.0.1', port: 80 }, true],
      [{ code: 'UND_ERR_CONNECT_TIMEOUT', message: 'Connect Timeout Error' }, true],
      [{ code: 'UND_ERR_CONNECT_TIMEOUT', message: '(attempted address: shop:80, timeout: 10ms)' }, true],
      [{ code: 'UND_ERR_CONNECT_TIMEOUT', message: '(attempted addresses: [::1]:81, timeout: 1ms)' }, false],
    ] as const) {
      expect([error, notExecuted({ cause: error }, 'http://shop/')]).toEqual([error, is]);
    }
    const partly = { errors: [{ syscall: 'connect' }, { syscall: 'read' }] };
    expect(notExecuted(partly)).toBe(false);
  });
});
