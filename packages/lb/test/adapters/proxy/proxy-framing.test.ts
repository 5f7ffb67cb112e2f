import { describe, expect, it } from 'vitest';
import { front } from '../../support/front.ts';
import { ask, exchanged, raw } from '../../support/raw.ts';
import { scripted } from '../../support/scripted.ts';

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
