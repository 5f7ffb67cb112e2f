import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { front } from '../../support/front.ts';
import { scripted } from '../../support/servers/scripted.ts';
import { until } from '../../support/until.ts';

/** What a client has received while the endpoint holds back the end of its response. */
async function receivedFrom(port: number, method: string): Promise<() => string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  let all = '';
  socket.on('data', chunk => {
    all += chunk;
  });
  await once(socket, 'connect');
  const body = method === 'GET' ? '' : 'Content-Length: 1\r\n';
  socket.write(`${method} / HTTP/1.1\r\nHost: shop\r\n${body}\r\n${method === 'GET' ? '' : 'x'}`);
  return () => all;
}

const head = (more: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${more}\r\n\r\n`;
const chunk = '5\r\nfirst\r\n';

describe('a response that no other endpoint may replace, or that is read piece by piece', () => {
  it.each([
    ['GET', 'Content-Type: Text/Event-Stream; charset=utf-8'],
    ['GET', 'X-Accel-Buffering: No'],
    ['GET', 'Content-Type: application/x-ndjson'],
    ['GET', 'Content-Type: multipart/x-mixed-replace; boundary=x'],
    ['POST', 'Content-Type: text/html'],
    ['PATCH', 'Content-Type: text/html'],
  ])('is not held back: %s, %s', async (method, type) => {
    for (const begun of [head(type), head(type) + chunk]) {
      const { port } = await front([await scripted(begun)]);
      const received = await receivedFrom(port, method);
      await until(() => expect(received()).toContain('200 OK'));
      if (begun.endsWith(chunk)) await until(() => expect(received()).toContain('first'));
    }
  });

  it('is not held back where nothing is buffered, even before its first byte', async () => {
    const { port } = await front([await scripted(head('X-A: b'))], { responseBufferBytes: 0 });
    const received = await receivedFrom(port, 'GET');
    await until(() => expect(received()).toContain('200 OK'));
  });

  it('is held back otherwise, until it is complete', async () => {
    const endpoint = await scripted(socket => {
      socket.write(head('Content-Type: text/html') + chunk);

      setTimeout(() => socket.write('0\r\n\r\n'), 100);
    });
    const { port } = await front([endpoint]);
    const received = await receivedFrom(port, 'GET');
    await until(() => expect(received()).toMatch(/content-length: 5\r\n.*first$/is));
  });
});
