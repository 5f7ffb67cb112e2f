import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type DnsDiscoveryOptions, dnsDiscovery } from '../../src/adapters/dns.ts';
import { type Endpoint, LoadBalancer } from '../../src/index.ts';
import { Sets } from '../support/discovery/sets.ts';
import { heard } from '../support/heard.ts';
import { a, aaaa, NameServer, srv } from '../support/servers/name-server.ts';
import { until } from '../support/until.ts';

interface Site {
  readonly server: NameServer;
  readonly clock: ManualClock;
  discover(name: string, options?: Partial<DnsDiscoveryOptions>): Sets<Endpoint>;
  /** All questions are answered, and so many clients sleep until the next one. */
  settled(clients?: number): Promise<void>;
  /** Moves time on; the next question has then been asked and, save where nobody answers, answered. */
  next(ms: number, answered?: boolean): Promise<void>;
}

/** No jitter, and a time that stands still but for the network. */
async function site(): Promise<Site> {
  const server = await NameServer.start();
  const clock = new ManualClock();
  const given = { port: 8080, resolver: server.resolver, clock, random: () => 0.5, jitter: 0 };
  const discover = (name: string, options: Partial<DnsDiscoveryOptions> = {}) => {
    const { port, ...rest } = given;
    const all = options.type === 'SRV' ? { ...rest, ...options } : { port, ...rest, ...options };
    return new Sets<Endpoint>(dnsDiscovery(name, all as DnsDiscoveryOptions));
  };
  const settled = (clients = 1) => until(() => expect([server.open, clock.sleeping]).toEqual([0, clients]));
  const next = async (ms: number, answered = true) => {
    const asked = server.asked.length;
    await clock.advance(ms);
    await until(() => expect(server.asked.length).toBeGreaterThan(asked));
    if (answered) await settled();
  };
  return { server, clock, discover, settled, next };
}

describe('discovery by DNS', () => {
  it('asks again after the shortest TTL, and tells only what is news', async () => {
    const { server, clock, discover, settled, next } = await site();
    server.says({ 'A shop': [...a('shop', ['10.0.0.2'], 5), ...a('shop', ['10.0.0.1'], 9)] });
    const sets = discover('shop');
    await until(() => expect(sets.latest).toHaveLength(2));
    expect(sets.latest).toEqual([
      { id: '10.0.0.1:8080', url: 'http://10.0.0.1:8080', host: '10.0.0.1', port: 8080 },
      { id: '10.0.0.2:8080', url: 'http://10.0.0.2:8080', host: '10.0.0.2', port: 8080 },
    ]);
    await settled();
    await clock.advance(4_999);
    expect(server.asked).toEqual(['A shop']);
    server.says({ 'A shop': a('shop', ['10.0.0.1', '10.0.0.2', '10.0.0.1']) });
    await next(1);
    expect(sets.ids).toHaveLength(1);
    server.says({ 'A shop': a('shop', ['10.0.0.3', '10.0.0.1'], 0) });
    await next(5_000);
    await until(() => expect(sets.ids.at(-1)).toEqual(['10.0.0.1:8080', '10.0.0.3:8080']));
    server.says({ 'A shop': a('shop', ['10.0.0.4'], 3_600) });
    await next(1_000); // a TTL of 0 is no reason to ask without a pause
    await until(() => expect(sets.ids.at(-1)).toEqual(['10.0.0.4:8080']));
    await settled();
    await next(30_000); // nor is one of an hour to wait for so long
    expect(sets.ids).toHaveLength(3);
  });

  it('knows both families, and writes IPv6 as urls do', async () => {
    const { server, discover } = await site();
    server.says({ 'A shop': a('shop', ['10.0.0.1']), 'AAAA shop': aaaa('shop', ['fd00::1']) });
    const both = discover('shop', { type: 'A+AAAA' });
    const six = discover('shop', { type: 'AAAA', protocol: 'https' });
    await until(() => expect(both.ids).toEqual([['10.0.0.1:8080', '[fd00::1]:8080']]));
    await until(() => expect(six.latest?.map(({ url }) => url)).toEqual(['https://[fd00::1]:8080']));
    server.says({ 'A shop': a('shop', ['10.0.0.1']) });
    const onlyOne = discover('shop', { type: 'A+AAAA' });
    await until(() => expect(onlyOne.ids).toEqual([['10.0.0.1:8080']]));
  });

  it('takes the SRV records of the lowest priority, with their weights', async () => {
    const { server, discover } = await site();
    server.says({
      'SRV _http._tcp.shop': srv(
        '_http._tcp.shop',
        [10, 60, 81, 'one'],
        [10, 0, 82, 'two'],
        [20, 5, 83, 'far'],
      ),
      'A one': a('one', ['10.0.0.1', '10.0.0.2']),
      'AAAA two': aaaa('two', ['fd00::2']),
      'A far': a('far', ['10.0.0.9']),
    });
    const sets = discover('_http._tcp.shop', { type: 'SRV' });
    await until(() => expect(sets.latest).toBeDefined());
    expect(sets.latest?.map(({ id, url, weight }) => [id, url, weight])).toEqual([
      ['10.0.0.1:81', 'http://10.0.0.1:81', 30],
      ['10.0.0.2:81', 'http://10.0.0.2:81', 30],
      ['[fd00::2]:82', 'http://[fd00::2]:82', 0.6],
    ]);
    server.says({ 'SRV shop': srv('shop', [1, 0, 443, 'one'], [1, 0, 443, 'two'], [1, 0, 443, 'two']) });
    const secure = discover('shop', { type: 'SRV', protocol: 'https' });
    await until(() =>
      expect(secure.latest?.map(({ url, weight }) => [url, weight])).toEqual([
        ['https://one:443', 1],
        ['https://two:443', 2],
      ]),
    );
  });

  it.each([
    ['unknown', { 'A shop': 'unknown' }, 'the DNS has no A+AAAA records of shop'],
    ['empty', {}, 'the DNS has no A+AAAA records of shop'],
    ['failing', { 'A shop': 'failing' }, 'ESERVFAIL'],
    ['empty and failing', { 'A shop': 'unknown', 'AAAA shop': 'failing' }, 'ESERVFAIL'],
    ['silent', { 'A shop': 'silent' }, 'the DNS did not answer for shop within 5000 ms'],
  ] as const)(
    'keeps the last good set while the answer is %s, and says so',
    async (mode, replies, message) => {
      const { server, clock, discover, settled, next } = await site();
      server.says({ 'A shop': a('shop', ['10.0.0.1']) });
      const sets = discover('shop', { type: 'A+AAAA' });
      await until(() => expect(sets.ids).toEqual([['10.0.0.1:8080']]));
      const { messages, stop } = heard('discovery-trouble');
      server.says(replies);
      await settled();
      await next(5_000, mode !== 'silent');
      if (mode === 'silent') await clock.advance(5_000);
      await until(() => expect(messages).toHaveLength(1));
      server.giveUp();
      expect(messages[0]).toMatchObject({ source: 'dns shop', retryInMs: 1_500 });
      expect(String((stop()[0] as { error: unknown }).error)).toContain(message);
      server.says({ 'A shop': a('shop', ['10.0.0.2']) });
      await next(1_500);
      await until(() => expect(sets.ids).toEqual([['10.0.0.1:8080'], ['10.0.0.2:8080']]));
      expect(sets.ended).toBe(false);
    },
  );

  it.each(['failing', 'not implemented', 'refused', 'silent'] as const)(
    'serves what answered while the other family is %s, and goes on asking',
    async reply => {
      const { server, clock, discover, settled } = await site();
      server.says({ 'A shop': a('shop', ['10.0.0.1']), 'AAAA shop': reply });
      const { messages, stop } = heard('discovery-trouble');
      const sets = discover('shop', { type: 'A+AAAA' });
      const passed = async (ms: number) => {
        await until(() => expect(server.asked.length % 2).toBe(0));
        await until(() => expect(server.open).toBe(reply === 'silent' ? 1 : 0));
        if (reply === 'silent') {
          await clock.advance(5_000);
          server.giveUp();
        }
        await settled();
        await clock.advance(ms);
      };
      await until(() => expect(server.asked).toHaveLength(2));
      await passed(0);
      await until(() => expect(sets.ids).toEqual([['10.0.0.1:8080']]));
      expect(messages).toMatchObject([{ source: 'dns shop', retryInMs: 1_500 }]);
      server.says({ 'A shop': a('shop', ['10.0.0.2']), 'AAAA shop': aaaa('shop', ['fd00::1']) });
      await clock.advance(1_500);
      await until(() => expect(sets.ids.at(-1)).toEqual(['10.0.0.2:8080', '[fd00::1]:8080']));
      await settled();
      server.says({ 'A shop': a('shop', ['10.0.0.3']), 'AAAA shop': reply });
      await clock.advance(5_000);
      await until(() => expect(server.asked).toHaveLength(6));
      await passed(0);
      await until(() => expect(sets.ids.at(-1)).toEqual(['10.0.0.3:8080', '[fd00::1]:8080']));
      expect(stop()).toHaveLength(2);
    },
  );

  it('serves the targets of SRV that have an address while another has none', async () => {
    const { server, discover } = await site();
    server.says({
      'SRV shop': srv('shop', [1, 1, 80, 'one'], [1, 1, 80, 'two']),
      'A one': a('one', ['10.0.0.1']),
      'A two': 'failing',
    });
    const sets = discover('shop', { type: 'SRV' });
    await until(() => expect(sets.ids).toEqual([['10.0.0.1:80']]));
  });

  it('asks ever less often while there is no answer, from the start on', async () => {
    const { server, clock, discover, settled } = await site();
    server.says({ 'A shop': 'failing' });
    const { messages, stop } = heard('discovery-trouble');
    const sets = discover('shop');
    for (let times = 1; times <= 8; times++) {
      await until(() => expect(messages).toHaveLength(times));
      await clock.advance((messages.at(-1) as { retryInMs: number }).retryInMs);
    }
    const pauses = (stop() as { retryInMs: number }[]).slice(0, 8).map(({ retryInMs }) => retryInMs);
    expect(pauses).toEqual([1_500, 2_000, 3_000, 5_000, 9_000, 15_500, 15_500, 15_500]);
    server.says({ 'A shop': a('shop', ['10.0.0.1']) });
    await settled();
    await clock.advance(15_500);
    await until(() => expect(sets.ids).toEqual([['10.0.0.1:8080']]));
  });

  it('leaves the queries of others alone that share its resolver', async () => {
    const { server, clock, discover } = await site();
    server.says({ 'A shop': 'silent', 'A search': 'silent' });
    discover('search', { timeoutMs: 20_000 });
    await until(() => expect(server.open).toBe(1));
    const { messages, stop } = heard('discovery-trouble');
    discover('shop');
    await until(() => expect(server.open).toBe(2));
    await clock.advance(5_000);
    await until(() => expect(messages).toMatchObject([{ source: 'dns shop' }]));
    await new Promise(resolve => setImmediate(resolve));
    expect(server.open).toBe(2);
    expect(stop()).toHaveLength(1);
  });

  it('spreads the questions of many clients', async () => {
    const { server, clock, discover, settled } = await site();
    server.says({ 'A shop': a('shop', ['10.0.0.1'], 10) });
    for (let client = 0; client < 10; client++) discover('shop', { jitter: 0.5, random: () => client / 10 });
    await settled(10);
    await clock.advance(10_000);
    await until(() => expect(server.asked).toHaveLength(11));
    await clock.advance(4_500);
    await until(() => expect(server.asked).toHaveLength(20));
  });

  it('feeds a balancer, and ends with it and with its signal', async () => {
    const { server, clock, settled } = await site();
    server.says({ 'A shop': a('shop', ['10.0.0.1']) });
    const ending = new AbortController();
    const options = { port: 80, resolver: server.resolver, clock };
    const lb = new LoadBalancer({ endpoints: dnsDiscovery('shop', options) });
    onTestFinished(() => lb.close());
    const picked = await lb.acquire();
    expect(picked.endpoint).toMatchObject({ id: '10.0.0.1:80', url: 'http://10.0.0.1:80' });
    picked.done();
    const sets = new Sets(dnsDiscovery('shop', { ...options, signal: ending.signal }));
    await until(() => expect(sets.ids).toHaveLength(1));
    await settled(2);
    await lb.close();
    ending.abort();
    await until(() => expect([sets.ended, sets.error, clock.sleeping]).toEqual([true, undefined, 0]));
    server.says({ 'A shop': 'silent' });
    const leaving = new Sets(dnsDiscovery('shop', options));
    await until(() => expect(server.asked.length).toBe(3));
    await leaving.leave();
    expect(clock.sleeping).toBe(0);
  });

  it('takes a port where the records have none', () => {
    // @ts-expect-error an address is not enough
    expect(() => dnsDiscovery('shop', {})).toThrow('`port` is required');
    // @ts-expect-error SRV records hold it
    expect(() => dnsDiscovery('shop', { type: 'SRV', port: 80 })).toThrow('leave out `port`');
  });
});
