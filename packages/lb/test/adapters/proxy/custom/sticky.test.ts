import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ReverseProxyOptions, reverseProxy } from '../../../../src/adapters/proxy.ts';
import { LoadBalancer, shuffleShard } from '../../../../src/index.ts';
import { Feed } from '../../../support/discovery/feed.ts';
import { type Front, front } from '../../../support/front.ts';
import { raw } from '../../../support/raw.ts';
import { Replica } from '../../../support/servers/replica.ts';

/** A browser that has one cookie at most. */
class Browser {
  cookie: string | undefined;
  /** Of the latest response. */
  set: string[] = [];
  readonly #front: Front;

  constructor(front: Front) {
    this.#front = front;
  }

  /** The id of the replica that answered. */
  async get(headers: Record<string, string> = {}): Promise<string | undefined> {
    const cookie = this.cookie === undefined ? {} : { cookie: `theme=dark; ${this.cookie}; x=y` };
    const response = await fetch(this.#front.url, { headers: { ...cookie, ...headers } });
    this.set = response.headers.getSetCookie();
    if (this.set.length > 0) this.cookie = this.set[0]!.split(';')[0]!;
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as { id: string }).id : undefined;
  }

  async times(count: number): Promise<string[]> {
    const ids: string[] = [];
    for (let time = 0; time < count; time++) ids.push(String(await this.get()));
    return ids;
  }
}

const sticky = { cookie: 'route' };

describe('sticky: { cookie }', () => {
  it('keeps each client at the endpoint that answered it first, and sets the cookie once', async () => {
    const shop = await front(await Replica.all('a', 'b', 'c'), { sticky });
    const firsts: string[] = [];
    for (let client = 0; client < 6; client++) {
      const browser = new Browser(shop);
      const first = String(await browser.get());
      firsts.push(first);
      expect(browser.set).toHaveLength(1);
      expect(await browser.times(5)).toEqual(Array(5).fill(first));
      expect(browser.set).toEqual([]);
    }
    expect(firsts).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  it('moves a client for good when its endpoint dies', async () => {
    const [a, b] = await Replica.all('a', 'b');
    const shop = await front([a!, b!], { sticky });
    const browser = new Browser(shop);
    expect(await browser.get()).toBe('a');
    await a!.kill();
    expect(await browser.get()).toBe('b');
    expect(browser.set).toHaveLength(1);
    expect(await browser.times(3)).toEqual(['b', 'b', 'b']);
    expect(browser.set).toEqual([]);
  });

  it('moves a client when its endpoint has left the set, is drained or ejected', async () => {
    const [a, b, c] = await Replica.all('a', 'b', 'c');
    const feed = new Feed<Replica>();
    const shop = await front(feed, { sticky }, { outlier: { consecutiveFailures: 1 } });
    await feed.give([a!, b!, c!]);
    const browser = new Browser(shop);
    expect(await browser.get()).toBe('a');
    await feed.give([b!, c!]);
    const second = await browser.get();
    expect(second).not.toBe('a');
    await shop.lb.drain(second!);
    const third = await browser.get();
    expect(third).not.toBe(second);
    expect(await browser.get()).toBe(third);
    shop.lb.undrain(second!);
    shop.lb.pick({ prefer: third! }).done({ ok: false });
    expect(await browser.get()).toBe(second);
    await feed.give([a!, b!, c!]);
    expect(await browser.get()).toBe(second);
  });

  it('sets no cookie with a response of 500 or more, nor with one of the proxy', async () => {
    const [a] = await Replica.all('a');
    const shop = await front([a!], { sticky }, { outlier: false });
    const browser = new Browser(shop);
    await a!.mode('unavailable');
    expect([await browser.get(), browser.set]).toEqual([undefined, []]);
    await a!.kill();
    expect([await browser.get(), browser.set]).toEqual([undefined, []]);
  });

  it('hides the id, agrees between proxies with one secret, and heeds no cookie of another', async () => {
    const replicas = await Replica.all('a', 'b', 'c');
    const [one, two, other, hashed] = [
      await front(replicas, { sticky: { ...sticky, secret: 'x' } }),
      await front([...replicas].reverse(), { sticky: { ...sticky, secret: 'x' } }),
      await front(replicas, { sticky: { ...sticky, secret: 'y' } }),
      await front(replicas, { sticky }),
    ];
    const browser = new Browser(one);
    expect(await browser.get()).toBe('a');
    expect(browser.cookie).toMatch(/^route=[\w-]{22}$/);
    const ask = (shop: Front, cookie: string) => {
      const again = new Browser(shop);
      again.cookie = cookie;
      return again.times(3).then(ids => [ids, again.set] as const);
    };
    expect(await ask(two, browser.cookie!)).toEqual([['a', 'a', 'a'], []]);
    for (const shop of [other, hashed]) {
      const again = new Browser(shop);
      again.cookie = browser.cookie;
      await again.get();
      expect(again.set).toHaveLength(1);
    }
    expect(await ask(one, 'route=a')).not.toEqual([['a', 'a', 'a'], []]);
  });

  it.each<[NonNullable<ReverseProxyOptions['sticky']>, string]>([
    [sticky, '; Path=/; HttpOnly; SameSite=Lax'],
    [{ ...sticky, secure: true, path: '/shop' }, '; Path=/shop; HttpOnly; SameSite=Lax; Secure'],
    [
      { ...sticky, sameSite: 'none', domain: 'shop.example', maxAgeMs: 1_500 },
      '; Path=/; Domain=shop.example; Max-Age=2; HttpOnly; SameSite=None; Secure',
    ],
  ])('writes the attributes: %o', async (options, attributes) => {
    const browser = new Browser(await front(await Replica.all('a'), { sticky: options }));
    await browser.get();
    expect(browser.set[0]!.slice(browser.cookie!.length)).toBe(attributes);
  });

  it('is Secure for a client that came to a trusted proxy by https', async () => {
    const replicas = await Replica.all('a');
    for (const trustForwarded of [true, false]) {
      const browser = new Browser(await front(replicas, { sticky, trustForwarded }));
      await browser.get({ 'x-forwarded-proto': 'https' });
      expect(browser.set[0]!.endsWith('; Secure')).toBe(trustForwarded);
    }
  });

  it('holds for upgrades too', async () => {
    const replicas = await Replica.all('a', 'b', 'c');
    const shop = await front(replicas, { sticky });
    const browser = new Browser(shop);
    await browser.get();
    const upgrade = async (cookie: string) => {
      const socket = connect(shop.port, '127.0.0.1').setEncoding('latin1');
      onTestFinished(() => void socket.destroy());
      socket.write(`GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: x\r\n${cookie}\r\n`);
      for await (const chunk of socket) return String(chunk);
      return '';
    };
    const before = shop.lb.snapshot().endpoints.map(({ picked }) => picked);
    expect(await upgrade(`Cookie: ${browser.cookie}\r\n`)).not.toMatch(/set-cookie/i);
    expect(shop.lb.snapshot().endpoints.map(({ picked }) => picked)).toEqual([
      before[0]! + 1,
      before[1],
      before[2],
    ]);
    expect(await upgrade('')).toMatch(/^HTTP\/1\.1 101 .*set-cookie: route=/is);
  });

  it('keeps a client within the shard of its key', async () => {
    const replicas = await Replica.all('a', 'b', 'c');
    const options = { sticky, key: () => 'tenant:1' };
    const shop = await front(replicas, options, { policy: shuffleShard({ size: 1 }) });
    const free = await front(replicas, { sticky });
    const owner = await new Browser(shop).get();
    for (const id of ['a', 'b', 'c']) {
      const browser = new Browser(free);
      expect(await browser.get()).toBe(id);
      const answer = await raw(
        shop.port,
        `GET / HTTP/1.1\r\nHost: shop\r\nCookie: ${browser.cookie}\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toContain(`"id":"${owner}"`);
    }
  });

  it.each([
    ['a name alone', 'route', 'write `sticky: { cookie }`'],
    ['no name', {}, '`sticky.cookie` is required'],
    ['a name that is none', { cookie: 'a b' }, '`sticky.cookie` must be the name of a cookie'],
    ['an attribute that begins another', { ...sticky, path: '/; Domain=x' }, '`sticky.path`'],
    ['what browsers drop', { ...sticky, sameSite: 'none', secure: false }, '`sticky.secure`'],
    ['what browsers drop', { cookie: '__Host-route' }, '`sticky.secure`'],
    ['a misspelled option', { ...sticky, maxAge: 1 }, 'did you mean `maxAgeMs`?'],
  ])('refuses %s: %o', (_, options, message) => {
    const lb = new LoadBalancer({ endpoints: [{ id: 'a', url: 'http://127.0.0.1:1' }] });
    expect(() => reverseProxy(lb, { sticky: options as { cookie: string } })).toThrow(message);
  });
});
