import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { ReverseProxyOptions } from '../../../src/adapters/proxy.ts';
import { ClosedError, DeadlineError, type EndpointWithUrl, NoEndpointError } from '../../../src/index.ts';
import { Feed } from '../../support/discovery/feed.ts';
import { front } from '../../support/front.ts';
import { heard } from '../../support/heard.ts';
import { Replica } from '../../support/servers/replica.ts';
import { until } from '../../support/until.ts';

/** Round robin begins with `a`, which misbehaves; `b` is well. */
async function aAndB(mode: string, options: ReverseProxyOptions = {}) {
  const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
  await a.mode(mode);
  return { a, b, ...(await front([a, b], options)) };
}

/** Short where one must wait for it to pass, and long enough for a busy machine. */
const impatient = { headersTimeoutMs: 1_000, idleTimeoutMs: 1_000 };

async function reply(response: Response): Promise<object> {
  const type = response.headers.get('content-type');
  return type === 'application/problem+json'
    ? ((await response.json()) as object)
    : { body: await response.text() };
}

describe('a request of an idempotent method', () => {
  it.each([
    'reset',
    'truncated',
    'truncatedChunks',
    'silent',
    'stalled',
    'longHead',
    'garbage',
    'unavailable',
  ])('goes to another endpoint when the first is %s', async mode => {
    const { url, lb } = await aAndB(mode, impatient);
    const response = await fetch(`${url}/bytes/10`, { method: 'PUT', body: 'again and again' });
    expect([response.status, await response.text()]).toEqual([200, 'b'.repeat(10)]);
    expect(lb.snapshot()).toMatchObject({
      inFlight: 0,
      retries: 1,
      endpoints: [
        { failed: 1, inFlight: 0 },
        { succeeded: 1, inFlight: 0 },
      ],
    });
  });

  it('is sent whole a second time, be its body small or streamed', async () => {
    const { url } = await aAndB('unavailable');
    const body = new Blob(['x'.repeat(40_000)]).stream();
    const response = await fetch(url, { method: 'PUT', body, duplex: 'half' } as RequestInit);
    expect(await response.json()).toMatchObject({ id: 'b', bytes: 40_000 });
  });

  it('is not sent again when its body was too large to keep', async () => {
    const { url, lb } = await aAndB('unavailable', { requestBufferBytes: 1_000 });
    const response = await fetch(url, { method: 'PUT', body: 'x'.repeat(2_000) });
    expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([
      503,
      '3',
      'later',
    ]);
    expect(lb.snapshot().retries).toBe(0);
  });

  it('gets what the endpoint said when there is no other', async () => {
    const { url, a, b } = await aAndB('unavailable');
    await b.mode('unavailable');
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([503, 'later']);
    await Promise.all([a.mode('broken'), b.mode('ok')]);
    for (const status of [200, 500]) expect((await fetch(url)).status).toBe(status);
  });

  it.each([
    ['reset', 502],
    ['truncated', 502],
    ['longHead', 502],
    ['garbage', 502],
    ['silent', 504],
    ['stalled', 504],
  ])('is told in clear words when the only endpoint is %s', async (mode, status) => {
    const [a] = (await Replica.all('a')) as [Replica];
    await a.mode(mode);
    const told = heard('proxy-error');
    const { url } = await front([a], impatient);
    const response = await fetch(url);
    expect(response.status).toBe(status);
    expect(await reply(response)).toMatchObject({ status, code: 'ASHLAR_LB_UPSTREAM' });
    expect(told.stop()).toMatchObject([{ status, error: { endpoint: 'a', outcome: 'Unknown' } }]);
  });

  it('never shows the client that a replica was killed in the middle of a response', async () => {
    const { url, a, lb } = await aAndB('half');
    const fetching = fetch(`${url}/bytes/2000`);
    await a.saw('half');
    await a.kill();
    const response = await fetching;
    expect([response.status, await response.text()]).toEqual([200, 'b'.repeat(2_000)]);
    expect((await fetch(`${url}/`)).status).toBe(200);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ inFlight: 0 }, { inFlight: 0 }] });
  });

  it.each(['half', 'halfInChunks'])(
    'is cut off, not ended, when the client has seen a part of it: %s',
    async mode => {
      const { url, a, lb } = await aAndB(mode, { responseBufferBytes: 500 });
      const told = heard('proxy-error');
      const response = await fetch(url);
      expect(response.status).toBe(200);
      await a.kill();
      await expect(response.text()).rejects.toThrow();
      expect(told.stop()).toMatchObject([{ status: undefined, error: { reason: 'truncated' } }]);
      expect(lb.snapshot()).toMatchObject({
        inFlight: 0,
        retries: 0,
        endpoints: [{ failed: 1 }, { picked: 0 }],
      });
    },
  );

  it('goes elsewhere while a replica is frozen', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    const { url, lb } = await front([a, b], impatient, { outlier: { consecutiveFailures: 2 } });
    a.freeze();
    for (let i = 0; i < 8; i++) expect(await (await fetch(`${url}/bytes/1`)).text()).toBe('b');
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'ejected', failed: 2, inFlight: 0 });
    a.thaw();
  });
});

describe('a request of another method', () => {
  it.each([
    ['reset', 502],
    ['truncated', 'cut off'],
    ['unavailable', 503],
  ])('is not repeated when the endpoint is %s', async (mode, expected) => {
    const { url, lb } = await aAndB(mode);
    const asked = fetch(url, { method: 'POST', body: 'once' });
    if (expected === 'cut off') await expect(asked.then(each => each.text())).rejects.toThrow();
    else expect((await asked).status).toBe(expected);
    expect(lb.snapshot()).toMatchObject({
      inFlight: 0,
      retries: 0,
      endpoints: [{ failed: 1 }, { picked: 0 }],
    });
  });

  it.each(['small', 'streamed'])('goes elsewhere when nobody listens: a %s body', async size => {
    const { url, a, lb } = await aAndB('ok');
    await a.kill();
    const length = size === 'small' ? 10 : 300_000;
    const response = await fetch(url, { method: 'POST', body: 'x'.repeat(length) });
    expect(await response.json()).toMatchObject({ id: 'b', bytes: length });
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, retries: 1 });
  });
});

describe('a client', () => {
  it('that goes away takes the request upstream with it, and nobody is blamed', async () => {
    const { url, a, lb } = await aAndB('silent');
    const request = httpRequest(url).on('error', () => {});
    request.end();
    await a.saw('silent');
    request.destroy();
    await a.saw('closed');
    expect(lb.snapshot()).toMatchObject({
      inFlight: 0,
      retries: 0,
      endpoints: [{ canceled: 1, failed: 0 }, {}],
    });
  });

  it('that goes away in the middle of a response or of its own body is not waited for', async () => {
    const { url, a, port, lb } = await aAndB('ok');
    const told = heard('proxy-error');
    const reading = await new Promise<IncomingMessage>(resolve => {
      httpRequest(`${url}/bytes/90000000`, { agent: false }, resolve).end();
    });
    reading.on('error', () => {}).destroy();
    await a.saw('closed');
    await a.mode('ok');
    const sending = connect(port, '127.0.0.1');
    sending.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\nbegun');
    await until(() => expect(lb.snapshot().inFlight).toBe(1));
    sending.destroy();
    await until(() => expect(lb.snapshot().inFlight).toBe(0));
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 0 }, { failed: 0 }]);
    const errors = told.stop() as { error: { code: string } }[];
    expect(errors.map(({ error }) => error.code)).toEqual(['ASHLAR_LB_CLIENT_GONE', 'ASHLAR_LB_CLIENT_GONE']);
  });

  it('that stops taking the response is given up, and its endpoint freed', async () => {
    const { url, lb } = await aAndB('ok', impatient);
    const response = await new Promise<IncomingMessage>(resolve => {
      httpRequest(`${url}/bytes/90000000`, { agent: false }, resolve).end();
    });
    response.on('error', () => {});
    await until(() => expect(lb.snapshot().inFlight).toBe(0));
    expect(lb.snapshot().endpoints[0]).toMatchObject({ canceled: 1, failed: 0 });
    response.destroy();
  });

  it.each([
    ['small', 10],
    ['large', 900_000],
  ])('that stalls in the middle of a %s body is told so', async (_, length) => {
    const { port, lb } = await aAndB('ok', { idleTimeoutMs: 300 });
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\nbegun`);
    let answer = '';
    socket.on('data', text => {
      answer += text;
    });
    await once(socket, 'close');
    expect(answer).toContain('408 Request Timeout');
    expect(answer).toContain('"code":"ASHLAR_LB_REQUEST_STALLED"');
    expect(lb.snapshot().inFlight).toBe(0);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 0 }, { failed: 0 }]);
  });

  it('is told when the time for it all is over', async () => {
    const { url, lb } = await aAndB('silent', { timeoutMs: 100 });
    const response = await fetch(url);
    expect(response.status).toBe(504);
    expect(await reply(response)).toMatchObject({ code: DeadlineError.code });
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 1 }, {}] });
  });

  it('is told that there is no endpoint, and when to come again', async () => {
    const { url, proxy } = await front([{ id: 'a', url: 'http://127.0.0.1:1', weight: 0 }]);
    const response = await fetch(url);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await reply(response)).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      code: NoEndpointError.code,
    });
    await proxy.close();
    expect(await reply(await fetch(url))).toMatchObject({ status: 503, code: ClosedError.code });
  });
});

describe('connections', () => {
  it('are kept, closed when the endpoint leaves or moves, and what is under way there may finish', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    const feed = new Feed<EndpointWithUrl>();
    const { url, lb } = await front(feed);
    await feed.give([a]);
    for (let i = 0; i < 5; i++) await (await fetch(url)).text();
    expect(await a.mode('half')).toBe(1);
    const fetching = fetch(url);
    await a.saw('half');
    await feed.give([{ id: 'a', url: b.url }]);
    expect(await (await fetch(`${url}/bytes/1`)).text()).toBe('b');
    expect(await a.mode('ok')).toBe(1);
    await a.kill();
    expect((await fetching).status).toBe(502);
    await feed.give([{ id: 'c', url: b.url }]);
    await (await fetch(url)).text();
    await until(async () => expect(await b.mode('ok')).toBe(1));
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('are all closed with the proxy, and what is under way is broken off', async () => {
    const { url, a, proxy, lb } = await aAndB('silent');
    const fetching = fetch(url);
    await a.saw('silent');
    await proxy.close();
    await proxy[Symbol.asyncDispose]();
    expect((await fetching).status).toBe(503);
    expect(lb.snapshot().inFlight).toBe(0);
    await until(async () => expect(await a.mode('ok')).toBe(0));
  });
});
