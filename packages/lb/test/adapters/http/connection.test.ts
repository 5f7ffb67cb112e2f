import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { ask, exchanged } from '../../support/raw.ts';
import { scripted } from '../../support/servers/scripted.ts';
import { until } from '../../support/until.ts';

const ok = 'HTTP/1.1 200 Very Fine\r\nContent-Length: 2\r\n\r\nok';
const go = 'HTTP/1.1 100 Continue\r\n\r\n';
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
const faultless = { retries: 0, inFlight: 0, endpoints: [{ failed: 0 }] };

/** Sends these bytes in pieces of that length. */
async function inPieces(socket: Socket, bytes: string, length: number): Promise<void> {
  socket.setNoDelay();
  for (let at = 0; at < bytes.length; at += length) {
    socket.write(bytes.slice(at, at + length), 'latin1');
    await delay(1);
  }
}

describe('an interim response that nobody asked for', () => {
  it.each([
    ['one', go + ok],
    ['several kinds', go + hints + go + 'HTTP/1.1 102 Processing\r\n\r\n' + ok],
    ['thirty', go.repeat(30) + ok],
    ['with lines', `HTTP/1.1 100 Go\r\nX-Why: yes\r\nContent-Length: 4\r\n\r\n${ok}`],
    ['of HTTP/1.0', `HTTP/1.0 100 Go\r\n\r\n${ok}`],
  ])('passes by, in one piece or many: %s', async (_, bytes) => {
    for (const length of [bytes.length, 7, bytes.length < 150 ? 1 : 50]) {
      const endpoint = await scripted(socket => void inPieces(socket, bytes, length));
      const { port, lb } = await front([endpoint]);
      const { dispatcher, lb: other } = dispatching([endpoint]);
      // Also on the kept connection, and where nothing may be asked again
      for (const method of ['GET', 'POST', 'GET'] as const) {
        const answer = await ask(port, `${method} / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0`);
        expect(answer).toMatch(/^HTTP\/1.1 200 Very Fine\r\n.*\r\n\r\nok$/s);
        const { statusCode, body } = await request('http://shop/', { dispatcher, method });
        expect([statusCode, await body.text()]).toEqual([200, 'ok']);
      }
      await until(() => {
        for (const each of [lb, other]) expect(each.snapshot()).toMatchObject(faultless);
      });
      expect(endpoint.requests).toHaveLength(6);
    }
  });

  it('is told from what looks like one in a body', async () => {
    const body = `${go}${ok}`;
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
    const endpoint = await scripted(async socket => {
      socket.setNoDelay().write(head);
      await delay(20);
      socket.write(body);
    });
    const { port } = await front([endpoint]);
    for (let times = 0; times < 2; times++) {
      expect(await ask(port, 'GET / HTTP/1.1\r\nHost: shop')).toMatch(new RegExp(`\r\n\r\n${body}$`));
    }
  });

  it('that never ends fails as too long a head', async () => {
    const endpoint = await scripted(`HTTP/1.1 100 Go\r\n${'a: b\r\n'.repeat(4_000)}`);
    const { port, lb } = await front([endpoint]);
    expect(await ask(port, 'POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0')).toMatch(/^HTTP\/1.1 502 /);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] });
  });
});

describe('a reason phrase that comes in pieces', () => {
  it.each([
    ['Very Fine', 1, 'Very Fine'],
    [`${'Very '.repeat(40)}Fine`, 3, `${'Very '.repeat(40)}Fine`],
    [`${'x'.repeat(70_000)} Fine`, 9_000, 'OK'],
    [`${'x'.repeat(70_000)} Fine`, 70_010, 'OK'],
  ])('is whole, or the standard one: %#', async (phrase, length, expected) => {
    const endpoint = await scripted(socket => {
      return void inPieces(socket, ok.replace('Very Fine', phrase), length);
    });
    const { port, lb } = await front([endpoint]);
    for (let times = 0; times < 2; times++) {
      const answer = await ask(port, 'GET / HTTP/1.1\r\nHost: shop');
      expect(answer.slice(0, answer.indexOf('\r\n'))).toBe(`HTTP/1.1 200 ${expected}`);
      expect(answer.endsWith('\r\n\r\nok')).toBe(true);
    }
    expect(lb.snapshot()).toMatchObject(faultless);
  });
});

describe('a reset within a response that lasts until its connection ends', () => {
  /** At once, both come in one read, which libuv takes for an end. */
  const broken = (when: 'later' | 'at once' = 'later') =>
    scripted(async socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nhello');
      if (when === 'later') await delay(30);
      socket.resetAndDestroy();
    });

  it.each(['later', 'at once'] as const)('is no end of it through the proxy: %s', async when => {
    for (const [method, expected] of [
      ['GET', /^HTTP\/1.1 502 /],
      // Streamed, and so cut: without the last chunk
      ['POST', /^HTTP\/1.1 200 OK\r\n.*\r\n5\r\nhello\r\n$/s],
    ] as const) {
      const { port, lb } = await front([await broken(when)]);
      const head = `${method} / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
      expect((await exchanged(port, head)).text).toMatch(expected);
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] });
    }
  });

  it.each(['later', 'at once'] as const)('is no end of it through the dispatcher: %s', async when => {
    const { dispatcher } = dispatching([await broken(when)]);
    const { body } = await request('http://shop/', { dispatcher });
    await expect(body.text()).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('is told from its end', async () => {
    const endpoint = await scripted(socket => void socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
    const { port, lb } = await front([endpoint]);
    expect(await ask(port, 'GET / HTTP/1.1\r\nHost: shop')).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nhello$/s);
    expect(lb.snapshot()).toMatchObject(faultless);
  });
});
