import { describe, expect, it } from 'vitest';
import type { EndpointWithUrl } from '../../../src/index.ts';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { ask, raw } from '../../support/raw.ts';
import { headOf } from '../../support/servers/heads.ts';
import { scripted } from '../../support/servers/scripted.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('a path with dot segments', () => {
  it.each([
    '/../secret',
    '/a/../../secret',
    '/%2e%2e/secret',
    '/.%2E/secret',
    '/./../secret',
    '//../secret',
    '/..',
    '/..;x=1/secret',
    '/..\\secret',
    '/..%2fsecret',
    '/..%5Csecret',
    '/a%2f..%2F../secret',
    '/a%2fb/../../secret',
  ])('is refused when it leads above the root: %s', async path => {
    const endpoint = await scripted(ok);
    const { port, lb } = await front([{ id: 'a', url: `${endpoint.url}/base` }]);
    expect(await ask(port, `GET ${path} HTTP/1.1\r\nHost: shop`)).toMatch(/^HTTP\/1.1 400 /);
    expect(await ask(port, `GET http://shop${path} HTTP/1.1\r\nHost: shop`)).toMatch(/^HTTP\/1.1 400 /);
    const { dispatcher } = dispatching(lb.endpoints as EndpointWithUrl[]);
    await expect(dispatcher.request({ path, method: 'GET' })).rejects.toMatchObject({
      code: 'ASHLAR_LB_UNFORWARDABLE',
    });
    expect(lb.snapshot().endpoints[0]).toMatchObject({ picked: 0 });
    expect(endpoint.requests).toEqual([]);
  });

  it.each(['/a/../b', '/a/%2e%2e/b?/../../..', '/a..b/...', '/x?../../y', '/%2e'])(
    'passes: %s',
    async path => {
      const endpoint = await scripted(ok);
      const { port } = await front([{ id: 'a', url: `${endpoint.url}/base` }]);
      await ask(port, `GET ${path} HTTP/1.1\r\nHost: shop`);
      expect(headOf(endpoint).line).toBe(`GET /base${path} HTTP/1.1`);
    },
  );
});

describe('the target of a request', () => {
  it.each([
    ['GET /x?y', 'shop:8080', 'GET /x?y', 'shop:8080'],
    ['GET http://evil/x?y', 'shop', 'GET /x?y', 'evil'],
    ['GET HTTP://evil:81', 'shop', 'GET /', 'evil:81'],
    ['GET http://evil?q', 'shop', 'GET /?q', 'evil'],
    ['GET http://[::1]:80/a//b', 'shop', 'GET /a//b', '[::1]:80'],
    ['GET //evil/x', 'shop', 'GET //evil/x', 'shop'],
    ['GET http://evil/%7E"<>`{|}/./?//#x', 'shop', 'GET /%7E"<>`{|}/./?//#x', 'evil'],
  ])('%s with the host %s is sent as %s', async (line, host, sent, expected) => {
    const endpoint = await scripted(ok);
    const { port } = await front([endpoint]);
    await ask(port, `${line} HTTP/1.1\r\nHost: ${host}`);
    const seen = headOf(endpoint);
    expect(seen.line).toBe(`${sent} HTTP/1.1`);
    expect(seen.headers).toMatchObject({ host: expected, 'x-forwarded-host': expected });
  });

  it.each([
    ['GET ftp://shop/x', 'Host: shop'],
    ['GET x://shop?q', 'Host: shop'],
    ['GET http:shop', 'Host: shop'],
    ['GET http:///x', 'Host: shop'],
    ['GET http://user:secret@shop/', 'Host: shop'],
    ['GET http://sh%op^/', 'Host: shop'],
    ['OPTIONS *', 'Host: shop'],
    ['GET /', 'X-None: 1'],
    ['GET /', 'Host: shop\r\nHost: shop'],
    ['GET /', 'Host: shop\r\nhOST: evil'],
    ['GET /', 'Host: shop/evil'],
    ['GET /', 'Host: a b'],
    ['GET /', 'Host: user@shop'],
    ['GET /', 'Host: shop:http'],
    ['GET /', 'Host: [::1'],
    ['GET /', 'Host: caf\xe9'],
  ])('%s with %o is refused', async (line, headers) => {
    const endpoint = await scripted(ok);
    const { port, lb } = await front([endpoint]);
    expect(await ask(port, `${line} HTTP/1.1\r\n${headers}`)).toMatch(/^HTTP\/1.1 400 /);
    const switching = `${line} HTTP/1.1\r\n${headers}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`;
    expect(await raw(port, switching)).toMatch(/^HTTP\/1.1 400 /);
    expect(lb.snapshot().endpoints[0]).toMatchObject({ picked: 0 });
    expect(endpoint.requests).toEqual([]);
  });

  it('may lack a host in HTTP/1.0', async () => {
    const endpoint = await scripted(ok);
    const { port } = await front([endpoint]);
    expect(await raw(port, 'GET /x HTTP/1.0\r\n\r\n')).toContain('200 OK');
    expect(headOf(endpoint).headers).toMatchObject({ host: new URL(endpoint.url).host });
  });
});
