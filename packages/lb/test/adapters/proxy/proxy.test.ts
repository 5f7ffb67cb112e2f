import { createHash } from 'node:crypto';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { reverseProxy } from '../../../src/adapters/proxy.ts';
import { consistent } from '../../../src/index.ts';
import { front } from '../../support/front.ts';
import { heard } from '../../support/heard.ts';
import { raw } from '../../support/raw.ts';
import { listening } from '../../support/servers/listening.ts';
import { Replica } from '../../support/servers/replica.ts';

interface Echo {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  bytes: number;
  hash: string;
}

const echo = async (response: Response) => (await response.json()) as Echo;

describe('reverseProxy', () => {
  it('hands on method, path, query and body, below the path of the url', async () => {
    const [a] = await Replica.all('a');
    const { url } = await front([{ id: 'a', url: `${a!.url}/base/` }]);
    for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
      const body = method === 'GET' ? {} : { body: `${method} me` };
      const seen = await echo(await fetch(`${url}/x/y?q=1&r=%20`, { method, ...body }));
      expect(seen).toMatchObject({ method, url: '/base/x/y?q=1&r=%20', bytes: body.body?.length ?? 0 });
    }
  });

  it('streams bodies of any size both ways, as chunks and with a length', async () => {
    const [a] = await Replica.all('a');
    const { url, lb } = await front([a!]);
    const body = Buffer.alloc(5_000_000, 'some text ');
    const hash = createHash('sha256').update(body).digest('hex');
    expect(await echo(await fetch(url, { method: 'POST', body }))).toMatchObject({
      bytes: body.length,
      hash,
    });
    const stream = new Blob([body]).stream();
    const chunked = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    expect(await echo(await fetch(url, chunked))).toMatchObject({ bytes: body.length, hash });
    for (const path of ['bytes', 'chunks']) {
      for (const size of [0, 1, 65_536, 65_537, 3_000_000]) {
        expect((await (await fetch(`${url}/${path}/${size}`)).text()).length).toBe(size);
      }
    }
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('leaves every byte of a body as it is, held back or not, in one piece or many', async () => {
    const all = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256));
    const server = createServer((request, response) => {
      const [, way, size] = request.url!.split('/');
      const body = all.subarray(0, Number(size));
      if (way === 'whole') return void response.end(body);
      response.writeHead(200, { 'content-length': body.length });
      const half = body.length >> 1;
      response.write(body.subarray(0, half), () => response.end(body.subarray(half)));
    });
    const { url } = await front([{ id: 'a', url: (await listening(server)).url }]);
    for (const size of [1, 255, 16_384, 16_385, 65_536, 65_537, 70_000]) {
      for (const way of ['whole', 'halves']) {
        const received = await (await fetch(`${url}/${way}/${size}`)).arrayBuffer();
        expect(all.subarray(0, size).equals(Buffer.from(received))).toBe(true);
      }
    }
  });

  it('lets go of a request when it is over', async () => {
    const [a] = await Replica.all('a');
    const { proxy } = await front([a!]);
    const seen: number[][] = [];
    const server = createServer(async (request, response) => {
      const counts = () => [request.listenerCount('data'), response.listenerCount('close')];
      const before = counts();
      await proxy(request, response);
      seen.push(before, counts());
    });
    const { url } = await listening(server);
    await (await fetch(url, { method: 'POST', body: 'gathered' })).text();
    await (await fetch(url)).text();
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[3]).toEqual(seen[2]);
  });

  it('waits for a client that reads slowly instead of keeping its response', async () => {
    const [a] = await Replica.all('a');
    const { url, lb } = await front([a!]);
    const size = 30_000_000;
    const response = await new Promise<IncomingMessage>(resolve => {
      httpRequest(`${url}/bytes/${size}`, { agent: false }, resolve).end();
    });
    // Time enough for another to have it all
    expect((await (await fetch(`${url}/bytes/${size}`)).arrayBuffer()).byteLength).toBe(size);
    expect(lb.snapshot().inFlight).toBe(1);
    let received = 0;
    for await (const chunk of response) received += chunk.length;
    expect(received).toBe(size);
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('tells upstream of the client, and believes what it says of others only if told to', async () => {
    const [a] = await Replica.all('a');
    const headers = {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'liar',
      'x-forwarded-port': '1',
      forwarded: 'for=6.6.6.6',
    };
    const careful = await front([a!]);
    const seen = (await echo(await fetch(careful.url, { headers }))).headers;
    expect(seen).toMatchObject({
      host: `127.0.0.1:${careful.port}`,
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `127.0.0.1:${careful.port}`,
    });
    expect(seen).not.toHaveProperty('forwarded');
    expect(seen).not.toHaveProperty('x-forwarded-port');
    const trusting = await front([a!], { trustForwarded: true, host: 'endpoint' });
    expect((await echo(await fetch(trusting.url, { headers }))).headers).toMatchObject({
      host: new URL(a!.url).host,
      ...headers,
      'x-forwarded-for': '6.6.6.6, 127.0.0.1',
    });
  });

  it('keeps what concerns one connection to that connection, both ways', async () => {
    const [a] = await Replica.all('a');
    const { url, port, proxy } = await front([a!]);
    const request = [
      ...['POST /x HTTP/1.1', 'Host: shop', 'Connection: close, X-Secret, X-Forwarded-For', 'X-Secret: 1'],
      ...['Keep-Alive: timeout=5', 'Proxy-Authorization: Basic eDp5', 'TE: trailers', 'Upgrade: h2c'],
      ...['Expect: 100-continue', 'X-Kept: \xe9', 'Transfer-Encoding: chunked', '', '3', 'abc', '0', '', ''],
    ];
    const answer = await raw(port, request.join('\r\n').replace('Upgrade: h2c\r\n', ''));
    expect(answer.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK')).toBe(true);
    const json = Buffer.from(answer.slice(answer.lastIndexOf('\r\n\r\n{')), 'latin1').toString();
    const { headers, bytes } = JSON.parse(json) as Echo;
    expect(bytes).toBe(3);
    expect(headers).toMatchObject({ host: 'shop', 'x-kept': '\xe9', 'x-forwarded-for': '127.0.0.1' });
    for (const name of ['x-secret', 'keep-alive', 'proxy-authorization', 'te', 'upgrade', 'expect']) {
      expect(headers).not.toHaveProperty(name);
    }
    const behind = createServer((request, response) => {
      response.setHeader('x-powered-by', 'a framework').setHeader('x-kept', 'overwritten');
      response.setHeader('set-cookie', ['session=1', 'csrf=2']).setHeader('vary', 'Origin');
      response.setHeader('link', '</a.css>').setHeader('server-timing', 'db;dur=1');
      void proxy(request, response);
    });
    const { url: behindUrl } = await listening(behind);
    const composed = (await fetch(`${behindUrl}/headers`)).headers;
    expect(composed.getSetCookie()).toEqual(['session=1', 'csrf=2', 'a=1', 'b=2']);
    expect(composed.get('vary')).toBe('Origin, Accept');
    expect(composed.get('link')).toBe('</a.css>, </b.css>');
    expect(composed.get('server-timing')).toBe('db;dur=1, app;dur=2');
    for (const way of [url, behindUrl]) {
      const response = await fetch(`${way}/headers`);
      expect(response.statusText).toBe('Fine');
      expect(response.headers.getSetCookie().slice(-2)).toEqual(['a=1', 'b=2']);
      expect(Object.fromEntries(response.headers)).toMatchObject({ 'x-kept': 'yes', 'x-latin': 'caf\xe9' });
      for (const name of ['x-private', 'trailer']) expect(response.headers.has(name)).toBe(false);
    }
  });

  it('answers in the shapes of HTTP that have no body, or an early one', async () => {
    const [a] = await Replica.all('a');
    const { url, port } = await front([a!]);
    for (const status of [204, 304]) {
      const response = await fetch(`${url}/status/${status}`);
      expect([response.status, response.headers.get('etag'), await response.text()]).toEqual([
        status,
        '"1"',
        '',
      ]);
    }
    expect(await (await fetch(`${url}/hints`)).text()).toBe('after hints');
    const old = await raw(port, 'GET /chunks/2500 HTTP/1.0\r\n\r\n');
    expect(old.split('\r\n\r\n')[1]).toBe('a'.repeat(2_500));
    expect(old.toLowerCase()).not.toContain('transfer-encoding');
    const absolute = await raw(
      port,
      'GET http://shop/x?y HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n',
    );
    expect(absolute).toContain('"url":"/x?y"');
  });

  it('answers a client that is still sending when upstream has made up its mind', async () => {
    const [a] = await Replica.all('a');
    const { port, lb } = await front([a!]);
    const answer = await raw(
      port,
      `POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(99)}`,
    );
    expect(answer).toContain('413 Payload Too Large');
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(lb.snapshot().inFlight).toBe(0);
  });

  it('sends events on as they come', async () => {
    const [a] = await Replica.all('a');
    const { url, lb } = await front([a!]);
    const reader = (await fetch(`${url}/events`)).body!.getReader();
    const text = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await text()).toBe('data: a\n\n');
    expect(lb.snapshot().inFlight).toBe(1);
    await a!.mode('ok');
    expect(await text()).toBe('data: over\n\n');
    expect((await reader.read()).done).toBe(true);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 1 }] });
  });

  it('keeps equal keys on one endpoint', async () => {
    const replicas = await Replica.all('a', 'b', 'c');
    const key = ({ url }: IncomingMessage) => url?.split('/')[2];
    const { url, lb } = await front(replicas, { key }, { policy: consistent() });
    for (let product = 0; product < 30; product++) {
      const ids = new Set<string>();
      for (let i = 0; i < 3; i++) ids.add((await echo(await fetch(`${url}/product/${product}/${i}`))).id);
      expect(ids.size).toBe(1);
    }
    expect(lb.snapshot().endpoints.every(({ picked }) => picked > 0)).toBe(true);
  });

  it('refuses a target without a path, and a body that somebody has read', async () => {
    const [a] = await Replica.all('a');
    const { port, lb } = await front([a!]);
    const told = heard('proxy-error');
    expect(await raw(port, 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain(
      '400 Bad Request',
    );
    const proxy = reverseProxy(lb);
    const parsing = createServer(async (request, response) => {
      for await (const _ of request);
      await proxy(request, response);
    });
    const { url } = await listening(parsing);
    const response = await fetch(url, { method: 'POST', body: '{}' });
    expect(await response.json()).toMatchObject({ status: 400, code: 'ASHLAR_LB_UNFORWARDABLE' });
    expect((told.stop() as { error: Error }[]).map(({ error }) => error.message)).toEqual([
      expect.stringContaining('the request target "*" has no path of http or https'),
      expect.stringContaining('read before the proxy got it'),
    ]);
    expect(lb.snapshot().endpoints[0]?.picked).toBe(0);
    await proxy.close();
  });
});
