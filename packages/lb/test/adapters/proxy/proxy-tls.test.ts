import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import * as undici from 'undici';
import { describe, expect, it } from 'vitest';
import { reverseProxy } from '../../../src/adapters/proxy.ts';
import { front } from '../../support/front.ts';
import { heard } from '../../support/heard.ts';
import { listening } from '../../support/servers/listening.ts';
import { cert, key } from '../../support/servers/tls.ts';

/** The name that the connection was made for; none when it was made for an address. */
const nameFor = ({ socket }: IncomingMessage) =>
  (socket as { servername?: string | false }).servername || null;

async function replica() {
  const server = createHttpsServer({ key, cert }, (request, response) => {
    const { host, 'x-forwarded-proto': proto } = request.headers;
    response.end(JSON.stringify({ servername: nameFor(request), host, proto }));
  });
  server.on('upgrade', (request, socket) => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n';
    socket.end(head + nameFor(request));
  });
  return listening(server);
}

describe('an endpoint with an https url', () => {
  it('may end its responses with the connection', async () => {
    const server = createTlsServer({ key, cert }, socket => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
    });
    const { port } = await listening(server);
    const { url, lb } = await front([{ id: 'a', url: `https://localhost:${port}` }], { tls: { ca: cert } });
    const texts = await Promise.all(
      Array.from({ length: 20 }, async () => (await undici.request(url)).body.text()),
    );
    expect(new Set(texts)).toEqual(new Set(['hello']));
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: [{ failed: 0 }] });
  });

  it.each([
    ['localhost', 'localhost'],
    ['127.0.0.1', null],
  ])('is checked by its own name, whatever host the client names: %s', async (name, servername) => {
    const { port, connections } = await replica();
    const proxied = await front([{ id: 'a', url: `https://${name}:${port}` }], { tls: { ca: cert } });
    for (const host of ['shop.test', 'other.test']) {
      const { statusCode, body } = await undici.request(proxied.url, { headers: { host } });
      expect(statusCode).toBe(200);
      expect(await body.json()).toEqual({ servername, host, proto: 'http' });
    }
    expect(connections()).toBe(1);
    const socket = connect(proxied.port, '127.0.0.1').setEncoding('utf8');
    let text = '';
    socket.on('data', more => {
      text += more;
    });
    socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await once(socket, 'close');
    expect(text.endsWith(`\r\n\r\n${servername}`)).toBe(true);
  });

  it('is spoken to in HTTP/1.1 though it would rather speak HTTP/2, whatever undici offers by itself', async () => {
    const offered: unknown[] = [];
    const ALPNCallback = ({ protocols }: { protocols: string[] }) => {
      offered.push(protocols);
      return protocols.includes('h2') ? 'h2' : protocols[0];
    };
    const server = createTlsServer({ key, cert, ALPNCallback }, socket => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
    });
    const { port } = await listening(server);
    const { url } = await front([{ id: 'a', url: `https://localhost:${port}` }], { tls: { ca: cert } });
    expect(await (await undici.request(url)).body.text()).toBe('hello');
    expect(offered).toEqual([['http/1.1']]);
  });

  it('is shown the certificate of the proxy', async () => {
    const given = { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true };
    const { port } = await listening(createHttpsServer(given, (_, response) => response.end('welcome')));
    const endpoint = { id: 'a', url: `https://localhost:${port}` };
    const [known, unknown] = [
      await front([endpoint], { tls: { ca: cert, cert, key } }),
      await front([endpoint], { tls: { ca: cert } }),
    ];
    expect(await (await undici.request(known.url)).body.text()).toBe('welcome');
    expect((await undici.request(unknown.url)).statusCode).toBe(502);
  });

  it('is not believed with a certificate that nobody vouches for', async () => {
    const { port } = await replica();
    const told = heard('proxy-error');
    const { url } = await front([{ id: 'a', url: `https://localhost:${port}` }]);
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(502);
    expect(told.stop()).toMatchObject([
      {
        error: {
          reason: 'unreachable',
          outcome: 'NotExecuted',
          cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
        },
      },
    ]);
  });

  it('is told that the client came by https', async () => {
    const upstream = await replica();
    const { lb } = await front([{ id: 'a', url: upstream.url.replace('http', 'https') }]);
    const proxy = reverseProxy(lb, { tls: { rejectUnauthorized: false } });
    const behind = await listening(createHttpsServer({ key, cert }, proxy));
    const dispatcher = new undici.Agent({ connect: { ca: cert } });
    const { body } = await undici.request(behind.url.replace('http', 'https'), { dispatcher });
    expect(await body.json()).toMatchObject({ proto: 'https' });
    await dispatcher.destroy();
    await proxy.close();
  });
});
