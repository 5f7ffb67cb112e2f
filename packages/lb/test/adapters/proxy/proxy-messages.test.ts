import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { ask, raw } from '../../support/raw.ts';
import { scripted } from '../../support/servers/scripted.ts';

const faultless = { retries: 0, endpoints: [{ failed: 0 }] };

describe('a response without a body that has a Content-Length', () => {
  it.each([
    ['GET', 304],
    ['HEAD', 304],
    ['HEAD', 200],
    ['GET', 204],
  ])('is complete: %s %i', async (method, status) => {
    const endpoint = await scripted(`HTTP/1.1 ${status} Fine\r\nETag: "1"\r\nContent-Length: 1234\r\n\r\n`);
    const { port, lb } = await front([endpoint]);
    const { dispatcher, lb: other } = dispatching([endpoint]);
    for (let times = 0; times < 6; times++) {
      const answer = await ask(port, `${method} / HTTP/1.1\r\nHost: shop`);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} Fine\r\netag: "1"\r\n`, 'i'));
      expect(/content-length: 1234/i.test(answer)).toBe(status !== 204);
      expect(answer.endsWith('\r\n\r\n')).toBe(true);
      const { statusCode, body } = await request('http://shop/', { dispatcher, method: method as 'GET' });
      expect([statusCode, await body.text()]).toEqual([status, '']);
    }
    expect(lb.snapshot()).toMatchObject(faultless);
    expect(other.snapshot()).toMatchObject(faultless);
  });
});

describe('a header in Latin-1', () => {
  it.each([
    ['GET', 200, 'held back'],
    ['POST', 200, 'streamed'],
    ['POST', 304, 'streamed, without a body'],
    ['HEAD', 200, 'without a body'],
  ])('reaches the client byte for byte: %s %i, %s', async (method, status) => {
    const length = status === 304 || method === 'HEAD' ? '' : 'Content-Length: 2\r\n';
    const head = `HTTP/1.1 ${status} Fine\r\nX-Name: caf\xe9 \xff\r\n${length}\r\n`;
    const endpoint = await scripted(socket => {
      socket.write(head, 'latin1');
      // Later, so that a streamed head goes out alone
      if (length !== '') setTimeout(() => socket.write('ok'), 20);
    });
    const { port } = await front([endpoint]);
    const answer = await ask(port, `${method} / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0`);
    expect(answer).toMatch(/^x-name: caf\xe9 \xff\r$/im);
    expect(answer.endsWith(length === '' ? '\r\n\r\n' : '\r\n\r\nok')).toBe(true);
  });
});

describe('a reason phrase', () => {
  it.each([
    ['of one word', 'Fine', 'Fine'],
    ['that is empty', '', 'OK'],
    ['in Latin-1', 'D\xe9plac\xe9', 'OK'],
    ['in UTF-8', Buffer.from('成功').toString('latin1'), 'OK'],
    ['of 1 800 letters', 'Very Fine'.repeat(200), 'OK'],
    ['of 70 000 letters', 'x'.repeat(70_000), 'OK'],
  ])('%s reaches the client, or the standard one does', async (_, phrase, expected) => {
    const endpoint = await scripted(`HTTP/1.1 200 ${phrase}\r\nContent-Length: 2\r\n\r\nok`);
    const { port, lb } = await front([endpoint]);
    const answer = await ask(port, 'POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1', 'x');
    expect(answer.slice(0, answer.indexOf('\r\n'))).toBe(`HTTP/1.1 200 ${expected}`);
    expect(answer.endsWith('\r\n\r\nok')).toBe(true);
    expect(lb.snapshot()).toMatchObject(faultless);
  });

  it.each([
    ['of one word', 'Fine'],
    ['in Latin-1', 'D\xe9plac\xe9'],
    ['of 1 800 letters', 'Very Fine'.repeat(200)],
  ])('%s passes a tunnel', async (_, phrase) => {
    const head = `HTTP/1.1 101 ${phrase}\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello`;
    const endpoint = await scripted(socket => socket.end(head, 'latin1'));
    const { port, lb } = await front([endpoint]);
    const answer = await raw(port, upgrade);
    const expected = phrase === 'Fine' ? phrase : 'Switching Protocols';
    expect(answer.slice(0, answer.indexOf('\r\n'))).toBe(`HTTP/1.1 101 ${expected}`);
    expect(answer.endsWith('\r\n\r\nhello')).toBe(true);
    expect(lb.snapshot()).toMatchObject(faultless);
  });
});

const upgrade = 'GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

describe('a response in a coding that nobody asked for', () => {
  const chunks = '2\r\nok\r\n0\r\n\r\n';

  it.each([
    'gzip, chunked',
    'gzip\r\nTransfer-Encoding: chunked',
    'gzip',
    'identity',
    'xchunked',
    'chunked, gzip',
  ])('is malformed, and never taken for plain: %o', async coding => {
    for (const [line, head] of [
      ['GET', 'Host: shop\r\nConnection: close'],
      ['POST', 'Host: shop\r\nConnection: close\r\nContent-Length: 0'],
      ['GET', upgrade.slice(upgrade.indexOf('Host'), -4)],
    ]) {
      const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n\r\n${chunks}`;
      const { port, lb } = await front([await scripted(socket => void socket.end(answer))]);
      expect(await raw(port, `${line} / HTTP/1.1\r\n${head}\r\n\r\n`)).toMatch(/^HTTP\/1.1 502 /);
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] });
    }
  });

  it.each([
    ['GET', 200, 'Chunked', chunks, 'ok'],
    ['HEAD', 200, 'gzip, chunked', '', ''],
    ['GET', 304, 'gzip, chunked', '', ''],
  ])(
    'is none where there is no body, or it is chunked: %s, %i, %s',
    async (method, status, coding, body, seen) => {
      const { port } = await front([
        await scripted(`HTTP/1.1 ${status} Fine\r\nTransfer-Encoding: ${coding}\r\n\r\n${body}`),
      ]);
      const answer = await ask(port, `${method} / HTTP/1.1\r\nHost: shop`);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} Fine\r\n`));
      expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(seen);
      expect(answer).not.toContain('gzip');
    },
  );
});

describe('a status that is none', () => {
  it.each(['20', '099', '000', '2000'])('is malformed: %s', async status => {
    const bytes = `HTTP/1.1 ${status} Odd\r\nContent-Length: 2\r\n\r\nok`;
    for (const method of ['GET', 'POST']) {
      const { port, lb } = await front([await scripted(bytes)], { headersTimeoutMs: 1_000 });
      const answer = await ask(port, `${method} / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0`);
      expect(answer).toMatch(/^HTTP\/1.1 502 /);
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] });
    }
  });
});
