import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reverseProxy } from '../../../src/adapters/proxy.ts';
import { LoadBalancer } from '../../../src/index.ts';
import { front } from '../../support/front.ts';
import { ask, exchanged, raw } from '../../support/raw.ts';
import { listening } from '../../support/servers/listening.ts';
import { scripted } from '../../support/servers/scripted.ts';
import { cert, key } from '../../support/servers/tls.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const hidden = 'GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n';
const body = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
const lines = (count: number) => 'a:b\r\n'.repeat(count);
const upgrade = 'Connection: Upgrade\r\nUpgrade: echo\r\n';

describe('a request whose framing is not understood', () => {
  it.each([
    ['a coding before chunked', 'POST / HTTP/1.1', 'Transfer-Encoding: gzip, chunked', 501],
    [
      'a coding in a line of its own',
      'POST / HTTP/1.1',
      'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked',
      501,
    ],
    ['chunked twice', 'POST / HTTP/1.1', 'Transfer-Encoding: chunked, chunked', 501],
    ['no coding', 'POST / HTTP/1.1', 'Transfer-Encoding: ', 400],
    ['chunked in HTTP/1.0', 'POST / HTTP/1.0', 'Connection: keep-alive\r\nTransfer-Encoding: chunked', 400],
    ['HTTP/2.0', 'POST / HTTP/2.0', 'Transfer-Encoding: chunked', 505],
    ['HTTP/0.9', 'GET /', 'X-None: 1', 505],
    ['1 000 lines', 'POST / HTTP/1.1', `${lines(998)}Transfer-Encoding: chunked`, 431],
    ['2 000 lines', 'POST / HTTP/1.1', `${lines(2_000)}Transfer-Encoding: chunked`, 431],
    [
      '2 000 lines and an upgrade',
      'POST / HTTP/1.1',
      `${upgrade}${lines(2_000)}Transfer-Encoding: chunked`,
      431,
    ],
    [
      '2 000 lines before an upgrade',
      'POST / HTTP/1.1',
      `${lines(2_000)}${upgrade}Transfer-Encoding: chunked`,
      431,
    ],
  ])('is refused, and nothing behind it is taken for a request: %s', async (_, line, headers, status) => {
    const endpoint = await scripted(ok);
    const { port, lb } = await front([endpoint]);
    // Node may refuse the rest of the bytes itself, and end the connection with a reset
    const { text } = await exchanged(port, `${line}\r\nHost: shop\r\n${headers}\r\n\r\n${body}${hidden}`);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status === 400 ? 400 : `(400|${status})`} `));
    expect(text).not.toMatch(/HTTP\/1.1 200/);
    expect(endpoint.requests).toEqual([]);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ picked: 0 }] });
  });

  it.each([
    ['POST / HTTP/1.1', 'Transfer-Encoding: gzip, chunked', 501],
    ['POST / HTTP/1.1', 'Transfer-Encoding: Chunked', 200],
    ['POST / HTTP/1.1', `${lines(1_100)}Transfer-Encoding: chunked`, 431],
    ['POST / HTTP/1.1', `${lines(900)}Transfer-Encoding: chunked`, 200],
  ])('is told so by its status: %s, %s', async (line, headers, status) => {
    const { port } = await front([await scripted(ok)]);
    const text = await ask(port, `${line}\r\nHost: shop\r\n${headers}`, '5\r\nhello\r\n0\r\n\r\n');
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    if (status !== 200) expect(text).toMatch(/connection: close/i);
  });

  it.each([
    [0, 1_500, 200],
    [100, 97, 200],
    [100, 98, 431],
    [96, 200, 431],
  ])('by the limit of its server: %i, %i lines', async (limit, count, status) => {
    const { port, server } = await front([await scripted(ok)]);
    server.maxHeadersCount = limit;
    const answer = await raw(
      port,
      `GET / HTTP/1.1\r\nHost: shop\r\n${lines(count)}Connection: close\r\n\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe('a response that its endpoint cuts, when the client has seen a part of it', () => {
  const begun = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';
  const cutting = () =>
    scripted(socket => {
      socket.write(begun);
      setTimeout(() => socket.destroy(), 30);
    });

  it('is reset to a client of HTTP/1.0, to which an end would be its end', async () => {
    const { port, lb } = await front([await cutting()], { responseBufferBytes: 0 });
    const { text, reset } = await exchanged(port, 'GET / HTTP/1.0\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nhello$/s);
    expect(reset).toBe(true);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] });
  });

  it('is reset also when it breaks at once', async () => {
    const endpoint = await scripted(begun.replace('5\r\n', 'fffffffffffffffff\r\n'));
    const { port } = await front([endpoint]);
    const { reset } = await exchanged(port, 'POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx');
    expect(reset).toBe(true);
  });

  it('is ended to a client of HTTP/1.1, without its last chunk', async () => {
    const { port } = await front([await cutting()], { responseBufferBytes: 0 });
    const { text, reset } = await exchanged(port, 'GET / HTTP/1.1\r\nHost: shop\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\n5\r\nhello\r\n$/s);
    expect(reset).toBe(false);
  });

  it('is ended over TLS, without a farewell', async () => {
    const endpoint = await cutting();
    const lb = new LoadBalancer({ endpoints: [endpoint] });
    const proxy = reverseProxy(lb, { responseBufferBytes: 0 });
    const { port } = await listening(createHttpsServer({ key, cert }, proxy));
    onTestFinished(() => Promise.all([proxy.close(), lb.close()]).then(() => {}));
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).setEncoding('latin1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', more => {
      text += more;
    });
    socket.write('GET / HTTP/1.0\r\n\r\n');
    await once(socket, 'close');
    expect(text).toMatch(/\r\n\r\nhello$/);
  });
});
