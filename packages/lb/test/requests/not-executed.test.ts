import { request } from 'node:http';
import { createServer, type Server } from 'node:net';
import * as undici from 'undici';
import { describe, expect, it } from 'vitest';
import { notExecuted } from '../../src/requests/classify.ts';
import { listening } from '../support/listening.ts';

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

describe('notExecuted', () => {
  it('does not look for ever, and only into errors', () => {
    const loop: { cause?: unknown } = {};
    loop.cause = loop;
    for (const what of [loop, undefined, null, 'ECONNREFUSED', { errors: [] }])
      expect(notExecuted(what)).toBe(false);
    expect(notExecuted({ code: 'ENOTFOUND', syscall: 'getaddrinfo' })).toBe(true);
    const partly = { errors: [{ syscall: 'connect' }, { syscall: 'read' }] };
    expect(notExecuted(partly)).toBe(false);
  });
});
