import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { front } from '../../../support/front.ts';
import { exchanged, raw } from '../../../support/raw.ts';
import { listening } from '../../../support/servers/listening.ts';
import { scripted } from '../../../support/servers/scripted.ts';
import { until } from '../../../support/until.ts';

const upgrade = 'GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
const refused = 'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\n';
const chunked = `${refused}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`;

const switched = 'HTTP/1.1 101 Fine\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello';

/** Ends by a reset when what was written is on its way. */
const reset = (socket: Socket, bytes: string) =>
  socket.write(bytes, () => setTimeout(() => socket.resetAndDestroy(), 30));
const end = (socket: Socket, bytes: string) => socket.end(bytes);

describe('an answer to an upgrade that does not switch', () => {
  it.each([
    ['in chunks', `${chunked}0\r\n\r\n`, end],
    [
      'in chunks, on a connection that stays',
      `${chunked}0\r\n\r\n`,
      (socket: Socket, bytes: string) => socket.write(bytes),
    ],
    ['with a length', `${refused}Content-Length: 5\r\n\r\nhello`, end],
    ['until the close', `${refused}\r\nhello`, end],
  ])('is whole to the client, framed anew: %s', async (_, answer, how) => {
    const { port, lb } = await front([await scripted(socket => void how(socket, answer))]);
    const text = await raw(port, upgrade);
    expect(text).toMatch(/^HTTP\/1.1 403 Forbidden\r\nX-Why: no\r\n/);
    expect(text).toMatch(/\r\n(5\r\nhello\r\n0\r\n\r\n|content-length: 5\r\n.*\r\n\r\nhello)$/is);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 1 }] });
  });

  it.each([
    ['in chunks, by an end', chunked, end],
    ['in chunks, by a reset', chunked, reset],
    ['with a length, by an end', `${refused}Content-Length: 10\r\n\r\nhello`, end],
    ['with a length, by a reset', `${refused}Content-Length: 10\r\n\r\nhello`, reset],
    ['until the close, by a reset', `${refused}\r\nhello`, reset],
    ['before its body, by a reset', `${refused}\r\n`, reset],
    [
      'until the close, by a reset at once',
      `${refused}\r\nhello`,
      (socket: Socket, bytes: string) => {
        socket.write(bytes);
        socket.resetAndDestroy();
      },
    ],
  ])('is cut to the client when the endpoint cuts it %s', async (_, answer, how) => {
    const { port, lb } = await front([await scripted(socket => void how(socket, answer))]);
    const { text } = await exchanged(port, upgrade);
    expect(text).toMatch(/^HTTP\/1.1 403 Forbidden\r\nX-Why: no\r\n/);
    expect(text).toMatch(/transfer-encoding: chunked\r\n|content-length: 10\r\n/i);
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    await until(() => expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] }));
  });

  it('is whole however long it is, and however many reads it takes', async () => {
    const body = 'x'.repeat(300_000);
    const { port, lb } = await front([
      await scripted(socket => {
        socket.write(`${refused}Content-Length: ${2 * body.length}\r\n\r\n${body}`);
        setTimeout(() => socket.end(body), 30);
      }),
    ]);
    const text = await raw(port, upgrade);
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(2 * body.length);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 1 }] });
  });

  it('is whole though more follows, as a body that HEAD must not have', async () => {
    const { port, lb } = await front([await scripted(`${refused}Content-Length: 5\r\n\r\nhello`)]);
    const text = await raw(port, upgrade.replace('GET', 'HEAD'));
    expect(text).toMatch(/^HTTP\/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 5\r\n/);
    expect(text).toMatch(/\r\n\r\n$/);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }] });
  });

  it('is cut when the endpoint stalls', async () => {
    const options = { idleTimeoutMs: 200 };
    const { port, lb } = await front([await scripted(chunked)], options);
    const { text } = await exchanged(port, upgrade);
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    await until(() => expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] }));
  });
});

describe('an answer to an upgrade', () => {
  it.each(['20', '099', '000'])('with the status %s is malformed', async status => {
    const head = `HTTP/1.1 ${status} Odd\r\nContent-Length: 0\r\n\r\n`;
    const { port, lb } = await front([await scripted(socket => void socket.end(head))]);
    expect(await raw(port, upgrade)).toMatch(/^HTTP\/1.1 502 /);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] });
  });

  it.each([101, 403])('keeps all of its lines: %i', async status => {
    const lines = 'a:b\r\n'.repeat(2_500);
    const head = `HTTP/1.1 ${status} Fine\r\n${lines}Upgrade: echo\r\nConnection: upgrade\r\nX-End: 1\r\n\r\nhello`;
    const { port } = await front([await scripted(socket => void socket.end(head))]);
    const text = await raw(port, upgrade);
    expect(text.match(/^a: b\r$/gm)).toHaveLength(2_500);
    expect(text).toContain('X-End: 1');
    expect(text.includes('upgrade: echo')).toBe(status === 101);
  });
});

describe('a switch of protocols', () => {
  it('ends some time after the client has, and blames nobody', async () => {
    const silent = createServer({ allowHalfOpen: true }, socket => {
      socket.once('data', () => socket.write(switched));
    });
    const endpoint = { id: 'a', ...(await listening(silent)) };
    const { port, lb } = await front([endpoint], { idleTimeoutMs: 200 });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).setEncoding('latin1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {}).write(upgrade);
    let text = '';
    socket.on('data', more => {
      text += more;
    });
    await until(() => expect(text).toContain('hello'));
    expect(lb.snapshot().inFlight).toBe(1);
    socket.end();
    await until(() => expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }] }));
  });

  it.each([
    ['at once', 0],
    ['later', 30],
  ])('is reset to its client when the endpoint resets it %s, as an end may have a meaning', async (_, ms) => {
    const endpoint = await scripted(socket => {
      socket.write(switched);
      if (ms === 0) socket.resetAndDestroy();
      else setTimeout(() => socket.resetAndDestroy(), ms);
    });
    const { port, lb } = await front([endpoint]);
    const { reset } = await exchanged(port, upgrade);
    expect(reset).toBe(true);
    await until(() => expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }] }));
  });

  it('is reset to its endpoint when the client resets it', async () => {
    const failed: unknown[] = [];
    const endpoint = await scripted(socket => {
      socket.on('error', ({ code }: NodeJS.ErrnoException) => failed.push(code)).write(switched);
    });
    const { port, lb } = await front([endpoint]);
    const socket = connect(port, '127.0.0.1');
    socket.on('data', () => socket.resetAndDestroy()).write(upgrade);
    await until(() => expect(failed).toEqual(['ECONNRESET']));
    await until(() => expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }] }));
  });
});
