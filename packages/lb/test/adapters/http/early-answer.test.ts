import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { listening } from '../../support/servers/listening.ts';
import { cert, key } from '../../support/servers/tls.ts';

const refusal = 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbig!';

/** Answers as soon as a request begins, and closes without reading the rest: its kernel sends a reset. */
async function refusing(protocol: string) {
  const server = protocol === 'https' ? createTlsServer({ key, cert }) : createServer();
  server.on(protocol === 'https' ? 'secureConnection' : 'connection', socket => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.pause();
      socket.write(refusal, () => socket.destroy());
    });
  });
  const { port } = await listening(server);
  return [{ id: 'a', url: `${protocol}://localhost:${port}` }];
}

/** chimurai/http-proxy-middleware 265, villadora/express-http-proxy 546, envoyproxy/envoy 2929, vitejs/vite 14611. */
describe.each(['http', 'https'])('an endpoint that refuses a body before it has read it, by %s', protocol => {
  const tls = { ca: cert };
  const blameless = { inFlight: 0, retries: 0, endpoints: [{ failed: 0, succeeded: 1 }] };

  it.each(['POST', 'PUT'])('is heard by the client of the proxy: %s', async method => {
    for (const bytes of [200_000, 8_000_000]) {
      const { port, lb } = await front(await refusing(protocol), { tls });
      const asked = httpRequest({ host: '127.0.0.1', port, method, headers: { 'content-length': bytes } });
      onTestFinished(() => void asked.destroy());
      asked.on('error', () => {});
      asked.write(Buffer.alloc(bytes));
      const [answer] = await once(asked, 'response');
      expect([answer.statusCode, (await answer.toArray()).join('')]).toEqual([413, 'big!']);
      expect(lb.snapshot()).toMatchObject(blameless);
    }
  });

  it('is heard by the caller of the dispatcher', async () => {
    const { dispatcher, lb } = dispatching(await refusing(protocol), { tls });
    const body = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(80_000)));
    const answer = await request('http://shop/', { dispatcher, method: 'POST', body });
    expect([answer.statusCode, await answer.body.text()]).toEqual([413, 'big!']);
    expect(lb.snapshot()).toMatchObject(blameless);
  });
});
