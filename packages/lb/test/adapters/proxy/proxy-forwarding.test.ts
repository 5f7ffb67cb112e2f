import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { reverseProxy } from '../../../src/adapters/proxy.ts';
import { type EndpointWithUrl, LoadBalancer } from '../../../src/index.ts';
import { Feed } from '../../support/discovery/feed.ts';
import { front } from '../../support/front.ts';
import { ask, raw } from '../../support/raw.ts';
import { headOf } from '../../support/servers/heads.ts';
import { listening } from '../../support/servers/listening.ts';
import { scripted } from '../../support/servers/scripted.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const family = ['Prefix', 'Ssl', 'Scheme', 'Server', 'User', 'Client-Cert', 'Port', 'Whatever'];
const lines = [
  ...family.map(name => `X-Forwarded-${name}: liar`),
  ...['X_Forwarded_For: liar', 'x_forwarded-proto: liar', 'X-Forwarded_Host: liar', 'X-Forwarded: liar'],
  'Forwarded: for=liar',
].join('\r\n');

describe('forwarded headers', () => {
  it('of a client are dropped, in every spelling', async () => {
    const endpoint = await scripted(ok);
    const { port } = await front([endpoint]);
    await ask(port, `GET / HTTP/1.1\r\nHost: shop\r\n${lines}`);
    expect(endpoint.requests[0]).not.toContain('liar');
    expect(headOf(endpoint).headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop',
    });
  });

  it('of a trusted client pass, save with an underscore, whatever Connection names', async () => {
    const endpoint = await scripted(ok);
    const { port } = await front([endpoint], { trustForwarded: true });
    const names = 'Connection: X-Forwarded-Proto, X-Forwarded-Port, X-Forwarded-For, Forwarded';
    const trusted = 'X-Forwarded-Proto: https\r\nX-Forwarded-For: 10.0.0.1';
    await raw(port, `GET / HTTP/1.0\r\nHost: shop\r\n${names}\r\n${trusted}\r\n${lines}\r\n\r\n`);
    const { headers } = headOf(endpoint);
    expect(headers).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '10.0.0.1, 127.0.0.1',
      'x-forwarded-port': 'liar',
      forwarded: 'for=liar',
    });
    expect(Object.keys(headers).filter(name => name.includes('_'))).toEqual([]);
  });
});

describe('a loop', () => {
  it.each(['', 'Connection: Upgrade\r\nUpgrade: echo\r\n'])(
    'is refused at its second hop: %o',
    async switching => {
      const feed = new Feed<EndpointWithUrl>();
      const { port, url, lb } = await front(feed);
      await feed.give([{ id: 'itself', url }]);
      const close = switching === '' ? 'Connection: close\r\n' : switching;
      expect(await raw(port, `GET / HTTP/1.1\r\nHost: shop\r\n${close}\r\n`)).toMatch(/^HTTP\/1.1 508 /);
      expect(lb.snapshot().endpoints[0]).toMatchObject({ picked: 1 });
    },
  );

  it('is none where one proxy stands before another', async () => {
    const endpoint = await scripted(ok);
    const inner = await front([endpoint]);
    const { port } = await front([{ id: 'inner', url: inner.url }]);
    expect(await ask(port, 'GET / HTTP/1.1\r\nHost: shop\r\nVia: 1.0 edge')).toContain('200 OK');
    const via = endpoint.requests[0]!.split('\r\n').filter(line => line.toLowerCase().startsWith('via:'));
    expect(via.map(line => line.slice(5).split('-')[0])).toEqual(['1.0 edge', '1.1 ashlar', '1.1 ashlar']);
    expect(new Set(via).size).toBe(3);
  });
});

describe('Max-Forwards', () => {
  it.each(['TRACE', 'OPTIONS'])('of %s counts down, and ends here at 0', async method => {
    const endpoint = await scripted(ok);
    const { port, lb } = await front([endpoint]);
    const head = `${method} /x HTTP/1.1\r\nHost: shop\r\nCookie: secret\r\nX-Mine: yes\r\nMax-Forwards: `;
    const answer = await ask(port, `${head}0`);
    expect(answer).toMatch(/^HTTP\/1.1 20[04] /);
    expect(answer.includes('TRACE /x HTTP/1.1\r\nHost: shop\r\nX-Mine: yes')).toBe(method === 'TRACE');
    expect(answer).not.toContain('secret');
    expect(lb.snapshot().endpoints[0]).toMatchObject({ picked: 0 });
    await ask(port, `${head}3`);
    expect(headOf(endpoint).headers).toMatchObject({ 'max-forwards': '2' });
    await ask(port, `GET / HTTP/1.1\r\nHost: shop\r\nMax-Forwards: 0`);
    expect(headOf(endpoint).headers).toMatchObject({ 'max-forwards': '0' });
  });

  it('has no say over a body in TRACE, which is refused', async () => {
    const endpoint = await scripted(ok);
    const { port } = await front([endpoint]);
    const head = 'TRACE / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4';
    expect(await ask(port, head, 'body')).toMatch(/^HTTP\/1.1 400 /);
    expect(endpoint.requests).toEqual([]);
  });

  it('is answered behind a framework too', async () => {
    const lb = new LoadBalancer({ endpoints: [{ id: 'a', url: 'http://127.0.0.1:1' }] });
    const proxy = reverseProxy(lb);
    const server = createServer((request, response) => {
      response.setHeader('x-powered-by', 'a framework');
      void proxy(request, response);
    });
    const { port } = await listening(server);
    const answer = await ask(port, 'TRACE / HTTP/1.1\r\nHost: shop\r\nMax-Forwards: 0');
    expect(answer).toMatch(/x-powered-by: a framework.*TRACE \/ HTTP/s);
    await proxy.close();
    await lb.close();
  });
});
