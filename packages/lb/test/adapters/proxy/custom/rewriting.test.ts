import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ReverseProxyOptions, reverseProxy } from '../../../../src/adapters/proxy.ts';
import { LoadBalancer } from '../../../../src/index.ts';
import { front } from '../../../support/front.ts';
import { ask } from '../../../support/raw.ts';
import { Replica } from '../../../support/servers/replica.ts';
import { scripted } from '../../../support/servers/scripted.ts';

interface Seen {
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** What the endpoint got. */
async function seen(
  options: ReverseProxyOptions,
  path: string,
  headers: Record<string, string> = {},
): Promise<Seen> {
  const [a] = await Replica.all('a');
  const { url } = await front([{ ...a!, url: `${a!.url}/base` }], options);
  const response = await fetch(url + path, { headers });
  return (await response.json()) as Seen;
}

/** The head of the answer to an upgrade, and the first bytes after it. */
async function upgraded(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
  let all = '';
  for await (const chunk of socket) {
    all += chunk;
    if (all.includes('}')) break;
  }
  return all;
}

describe('paths', () => {
  it.each([
    [{ strip: '/shop' }, '/shop/cart?x=1', '/base/cart?x=1', '/shop'],
    [{ strip: '/shop' }, '/shop', '/base/', '/shop'],
    [{ strip: '/shop/' }, '/shop?x=1', '/base/?x=1', '/shop'],
    [{ strip: '/shop' }, '/shopping', '/base/shopping', undefined],
    [{ strip: '/shop' }, '/other/shop/', '/base/other/shop/', undefined],
    [{ strip: '/' }, '/cart', '/base/cart', undefined],
    [{ prefix: '/v2/' }, '/cart', '/base/v2/cart', undefined],
    [{ strip: '/shop', prefix: '/v2' }, '/shop/cart', '/base/v2/cart', '/shop'],
    [{ strip: '/shop', prefix: '/v2' }, '/cart', '/base/v2/cart', undefined],
  ])('%o sends %s as %s', async (options, path, url, prefix) => {
    const { url: received, headers } = await seen(options, path);
    expect([received, headers['x-forwarded-prefix']]).toEqual([url, prefix]);
  });

  it('appends to the X-Forwarded-Prefix of a trusted proxy only', async () => {
    const before = { 'x-forwarded-prefix': '/eu' };
    const trusted = await seen({ strip: '/shop', trustForwarded: true }, '/shop/cart', before);
    expect(trusted.headers['x-forwarded-prefix']).toBe('/eu/shop');
    const other = await seen({ strip: '/shop' }, '/shop/cart', before);
    expect(other.headers['x-forwarded-prefix']).toBe('/shop');
  });

  it('refuses what leads above the part that is stripped', async () => {
    const endpoint = await scripted('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    const { port } = await front([endpoint], { strip: '/shop', prefix: '/public' });
    for (const path of ['/shop/../secret', '/shop/%2e%2e/secret', '/shop/a/../../secret']) {
      expect(await ask(port, `GET ${path} HTTP/1.1\r\nHost: shop`)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(await ask(port, 'GET http://shop/shop/a/../b HTTP/1.1\r\nHost: shop')).toMatch(/^HTTP\/1\.1 200 /);
    expect(endpoint.requests.map(request => request.split(' ')[1])).toEqual(['/public/a/../b']);
  });

  it('are rewritten for upgrades too', async () => {
    const { port } = await front(await Replica.all('a'), { strip: '/shop' });
    expect(await upgraded(port, '/shop/ws')).toContain('"url":"/ws"');
  });
});

describe('headers', () => {
  it('are changed on their way to the endpoint', async () => {
    const options: ReverseProxyOptions = {
      requestHeaders: (headers, { request, endpoint }) => {
        headers.set('Authorization', `for ${endpoint.id} ${request.method}`);
        headers.delete('cookie');
        headers.append('x-list', '2');
        headers.set(
          'X-Seen',
          `${headers.get('X-List')} ${headers.has('cookie')} ${headers.getAll('x-list').length}`,
        );
      },
    };
    const { headers } = await seen(options, '/', { cookie: 'a=1', 'x-list': '1', authorization: 'mine' });
    expect(headers).toMatchObject({ authorization: 'for a GET', 'x-list': '1, 2', 'x-seen': '1, 2 false 2' });
    expect(headers).not.toHaveProperty('cookie');
  });

  it('are changed on their way to the client', async () => {
    const { url } = await front(await Replica.all('a'), {
      responseHeaders: (headers, { endpoint, status, request }) => {
        for (const cookie of headers.getAll('set-cookie')) headers.append('x-cookie', cookie);
        headers.delete('SET-COOKIE');
        headers.set('x-kept', `${endpoint.id} ${status} ${request.url}`);
      },
    });
    const { headers } = await fetch(`${url}/headers`);
    expect(headers.get('x-cookie')).toBe('a=1, b=2');
    expect(headers.getSetCookie()).toEqual([]);
    expect(headers.get('x-kept')).toBe('a 200 /headers');
  });

  it('are changed for upgrades too', async () => {
    const { port } = await front(await Replica.all('a'), {
      requestHeaders: headers => headers.set('x-one', '1'),
      responseHeaders: headers => headers.set('x-two', '2'),
    });
    expect(await upgraded(port, '/ws')).toMatch(/^HTTP\/1\.1 101 .*\r\nx-two: 2\r\n.*"x-one":"1"/s);
  });

  it.each<[string, ReverseProxyOptions]>([
    ['to the endpoint: throws', { requestHeaders: () => fail() }],
    ['to the client: throws', { responseHeaders: () => fail() }],
    ['a length', { requestHeaders: headers => headers.set('Content-Length', '1') }],
    ['a connection', { responseHeaders: headers => void headers.delete('Transfer-Encoding') }],
    ['a line break', { responseHeaders: headers => headers.set('x', 'a\r\nb: c') }],
    ['no Latin-1', { responseHeaders: headers => headers.append('x', '成功') }],
    ['no name', { requestHeaders: headers => headers.set('a b', 'c') }],
    ['no text', { requestHeaders: headers => headers.set('x', 1 as unknown as string) }],
  ])('answer 500 and blame nobody when a function fails: %s', async (_, options) => {
    const { url, port, lb } = await front(await Replica.all('a', 'b'), options);
    const response = await fetch(url);
    expect(response.status).toBe(500);
    expect(await response.json()).not.toHaveProperty('id');
    expect(await ask(port, 'GET /ws HTTP/1.1\r\nHost: shop\r\nUpgrade: echo')).toMatch(/^HTTP\/1\.1 [25]00 /);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }, { failed: 0 }] });
  });

  it('answer an upgrade with 500 when a function fails', async () => {
    for (const options of [{ requestHeaders: fail }, { responseHeaders: fail }]) {
      const { port, lb } = await front(await Replica.all('a', 'b'), options);
      expect(await upgraded(port, '/ws')).toMatch(/^HTTP\/1\.1 500 /);
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }, { failed: 0 }] });
    }
  });
});

function fail(): never {
  throw new Error('as told');
}

describe('options that are no paths', () => {
  it.each(['shop', '/a?b', '/a#b', '/a b', '/../x', '/a/./b', '/é', '/a\\b', 1, null])('%j', value => {
    const lb = new LoadBalancer({ endpoints: [{ id: 'a', url: 'http://127.0.0.1:1' }] });
    for (const name of ['strip', 'prefix']) {
      expect(() => reverseProxy(lb, { [name]: value })).toThrow(`\`${name}\` must be a path, as \`/shop\``);
    }
  });
});
