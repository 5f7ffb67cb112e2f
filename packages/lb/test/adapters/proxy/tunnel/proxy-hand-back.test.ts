import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parsesBodies } from '../../../../src/adapters/proxy/tunnel/with-body.ts';
import { reverseProxy } from '../../../../src/adapters/proxy.ts';
import { LoadBalancer } from '../../../../src/index.ts';
import { front } from '../../../support/front.ts';
import { raw } from '../../../support/raw.ts';
import { headOf } from '../../../support/servers/heads.ts';
import { listening } from '../../../support/servers/listening.ts';
import { Replica } from '../../../support/servers/replica.ts';
import { scripted } from '../../../support/servers/scripted.ts';
import { cert, key } from '../../../support/servers/tls.ts';
import { until } from '../../../support/until.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const h2c = 'HTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c';
const last = 'GET /last HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n';

describe('an upgrade that is not honored goes the ordinary way', () => {
  it.each([
    ['h2c', 'POST /x', `${h2c}\r\nContent-Length: 5`, 'hello', 5],
    ['h2c in chunks', 'POST /x', `${h2c}\r\nTransfer-Encoding: chunked`, '5\r\nhello\r\n0\r\n\r\n', 5],
    ['h2c without a body', 'GET /x', h2c, '', 0],
    [
      'h2c among others of its kind',
      'GET /x',
      'Connection: upgrade\r\nUpgrade: h2c, H2C-17\r\nUpgrade: h2c',
      '',
      0,
    ],
    [
      'a WebSocket with a body',
      'PUT /x',
      'Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2',
      'hi',
      2,
    ],
  ])('%s', async (_, line, headers, body, bytes) => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { port, lb } = await front([a]);
    // In Latin-1, and behind it another request
    const head = `${line} HTTP/1.1\r\nHost: shop\r\nX-Name: caf\xe9\r\n${headers}\r\n\r\n`;
    const answers = await raw(port, head + body + last);
    // Where Node parses the body of an upgrade, it has no parser for what follows
    const isLast = bytes > 0 && (await parsesBodies());
    expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(isLast ? 1 : 2);
    if (isLast) expect(answers).toMatch(/^connection: close\r$/im);
    // The endpoint writes UTF-8
    const text = Buffer.from(answers, 'latin1').toString();
    const first = JSON.parse(/\{.*?\}(?=\r?\n?HTTP|\r\n0|$)/s.exec(text)![0]);
    expect(first).toMatchObject({ url: '/x', bytes, headers: { 'x-name': 'caf\xe9', host: 'shop' } });
    for (const name of ['upgrade', 'http2-settings']) expect(first.headers).not.toHaveProperty(name);
    expect(first.headers.connection ?? '').not.toMatch(/upgrade/i);
    expect(answers.includes('"url":"/last"')).toBe(!isLast);
    const succeeded = isLast ? 1 : 2;
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded, failed: 0 }] });
  });

  it('in HTTP/1.0', async () => {
    const endpoint = await scripted(ok);
    const { port } = await front([endpoint]);
    const head = 'GET /x HTTP/1.0\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';
    expect(await raw(port, head)).toMatch(/^HTTP\/1.1 200 .*\r\n\r\nok$/s);
    expect(headOf(endpoint).headers).not.toHaveProperty('upgrade');
  });

  it('with a large body that comes slowly and waits for 100', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { port } = await front([a]);
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', more => {
      text += more;
    });
    socket.write(
      `POST /x HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\n${h2c}\r\nContent-Length: 300000\r\n\r\n`,
    );
    await until(() => expect(text).toMatch(/^HTTP\/1.1 100 /));
    for (let part = 0; part < 3; part++) socket.write('x'.repeat(100_000));
    await until(() => expect(text).toContain('"bytes":300000'));
  });

  it('with a response that is larger than what a connection holds', async () => {
    const length = 8_000_000;
    const endpoint = await scripted(
      `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`,
    );
    const { port } = await front([endpoint]);
    const head = `POST /x HTTP/1.1\r\nHost: shop\r\n${h2c}\r\nConnection: close\r\nContent-Length: 5\r\n\r\n`;
    const answer = await raw(port, `${head}hello`);
    expect(answer.length - answer.indexOf('\r\n\r\n') - 4).toBe(length);
  });

  it.each([
    ['after the body', 5],
    ['in the middle of a large body', 300_000],
  ])('and ends with its client, %s', async (_, length) => {
    const endpoint = await scripted(() => {});
    const { port, lb } = await front([endpoint]);
    const socket = connect(port, '127.0.0.1');
    socket.write(`POST /x HTTP/1.1\r\nHost: shop\r\n${h2c}\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write('x'.repeat(Math.min(length, 150_000)));
    await until(() => expect(endpoint.requests.length).toBeGreaterThan(0));
    expect(lb.snapshot().inFlight).toBe(1);
    socket.destroy();
    await until(() => expect(lb.snapshot().inFlight).toBe(0));
  });

  it('over TLS', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const lb = new LoadBalancer({ endpoints: [a] });
    const proxy = reverseProxy(lb);
    const server = createHttpsServer({ key, cert }, proxy);
    const { port } = await listening(server.on('upgrade', proxy.upgrade));
    onTestFinished(() => Promise.all([proxy.close(), lb.close()]).then(() => {}));
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).setEncoding('latin1');
    onTestFinished(() => void socket.destroy());
    let text = '';
    socket.on('data', more => {
      text += more;
    });
    socket.write(`POST /x HTTP/1.1\r\nHost: shop\r\n${h2c}\r\nContent-Length: 5\r\n\r\nhello`);
    await until(() => expect(text).toMatch(/"x-forwarded-proto":"https".*"bytes":5/s));
  });

  it('so that the server emits `connection` once more', async () => {
    const endpoint = await scripted(ok);
    const { port, server } = await front([endpoint]);
    let emitted = 0;
    server.on('connection', () => void emitted++);
    expect(await raw(port, `GET /x HTTP/1.1\r\nHost: shop\r\n${h2c}\r\n\r\n${last}`)).toMatch(/ok$/);
    expect([emitted, endpoint.requests.length]).toEqual([2, 2]);
  });

  it('and only what is honored is offered to the endpoint', async () => {
    const endpoint = await scripted(socket =>
      socket.end('HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello'),
    );
    const { port } = await front([endpoint]);
    const head = `GET /x HTTP/1.1\r\nHost: shop\r\n${h2c}, echo\r\nUpgrade: other\r\n\r\n`;
    expect(await raw(port, head)).toMatch(/^HTTP\/1.1 101 .*hello$/s);
    expect(headOf(endpoint).headers).toMatchObject({ upgrade: 'echo, other' });
    expect(headOf(endpoint).headers).not.toHaveProperty('http2-settings');
  });
});

describe('an upgrade behind requests that are not answered', () => {
  it.each([
    ['that is honored', 'echo', /^HTTP\/1.1 101 .*hello$/s],
    ['that is not', 'h2c', /^HTTP\/1.1 200 .*\r\n\r\nok$/s],
  ])('%s is answered after them', async (_, protocol, expected) => {
    const waiting: (() => void)[] = [];
    const endpoint = await scripted((socket, request) => {
      if (request.startsWith('GET /slow')) return void waiting.push(() => socket.write(ok));
      const switching = 'HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello';
      if (/^upgrade:/im.test(request)) socket.end(switching);
      else socket.end(ok);
    });
    const { port } = await front([endpoint]);
    const slow = 'GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n';
    const switching = `Connection: upgrade, close\r\nUpgrade: ${protocol}`;
    const all = raw(port, `${slow}${slow}GET /x HTTP/1.1\r\nHost: shop\r\n${switching}\r\n\r\n`);
    for (let answered = 0; answered < 2; answered++) {
      await until(() => expect(waiting.length).toBeGreaterThan(0));
      waiting.shift()!();
    }
    const rest = (await all).split(/(?=HTTP\/1.1 )/);
    expect(rest).toHaveLength(3);
    for (const each of rest.slice(0, 2)) expect(each).toMatch(/^HTTP\/1.1 200 .*\r\n\r\nok$/s);
    expect(rest[2]).toMatch(expected);
  });
});
