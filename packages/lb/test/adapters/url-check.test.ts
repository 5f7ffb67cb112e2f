import { describe, expect, it, onTestFinished } from 'vitest';
import { balancedChannel } from '../../src/adapters/grpc.ts';
import { reverseProxy } from '../../src/adapters/proxy.ts';
import { balancedDispatcher } from '../../src/adapters/undici.ts';
import { type Endpoint, type EndpointWithUrl, InvalidEndpointError, LoadBalancer } from '../../src/index.ts';
import { Feed } from '../support/discovery/feed.ts';

type Open = (lb: LoadBalancer<EndpointWithUrl>) => { close(): unknown };

const adapters: Readonly<Record<string, Open>> = { reverseProxy, balancedDispatcher, balancedChannel };

/** As a program in JavaScript would, or one whose discovery promises more than it holds. */
function balancer(endpoints: readonly Endpoint[] | Feed<EndpointWithUrl>): LoadBalancer<EndpointWithUrl> {
  const lb = new LoadBalancer({ endpoints: endpoints as EndpointWithUrl[] | Feed<EndpointWithUrl> });
  onTestFinished(() => lb.close());
  return lb;
}

const good: EndpointWithUrl = { id: 'a', url: 'http://127.0.0.1:1' };

describe.each(Object.entries(adapters))('an endpoint that %s cannot reach by its url', (name, open) => {
  const http = name !== 'balancedChannel';
  const expected = http ? 'an http or https url' : 'an absolute url with a host';

  it.each(http ? [undefined, 'redis://a', 'ftp://127.0.0.1/'] : [undefined, 'mailto:a', 'unix:/run/a'])(
    'is refused at once: %s',
    url => {
      const lb = balancer([good, { id: 'b', ...(url === undefined ? {} : { url }) }]);
      const got = url === undefined ? 'undefined' : `"${url}"`;
      const said = `endpoint 1 ("b") must have ${expected} as its \`url\`, got ${got}`;
      expect(() => open(lb)).toThrow(expect.objectContaining({ code: InvalidEndpointError.code, index: 1 }));
      expect(() => open(lb)).toThrow(said);
    },
  );

  it('is refused with the set that brings it, and the last good set serves on', async () => {
    const feed = new Feed<EndpointWithUrl>();
    const lb = balancer(feed);
    const opened = open(lb);
    await feed.give([{ id: 'b' } as EndpointWithUrl]);
    expect(lb.snapshot()).toMatchObject({ discovery: 'waiting', endpoints: [] });
    await feed.give([good]);
    await feed.give([good, { id: 'b' } as EndpointWithUrl]);
    expect(lb.endpoints).toEqual([good]);
    expect(lb.snapshot().discoveryError).toContain(`endpoint 1 ("b") must have ${expected} as its \`url\``);
    await feed.give([{ ...good, id: 'c' }]);
    expect(lb.snapshot()).toMatchObject({ discovery: 'live', endpoints: [{ id: 'c' }] });
    expect(lb.snapshot().discoveryError).toBeUndefined();
    await opened.close();
    await feed.give([{ id: 'b' } as EndpointWithUrl]);
    expect(lb.endpoints).toEqual([{ id: 'b' }]);
  });
});

describe('an endpoint without a url', () => {
  it('is refused by the compiler, where it can tell', () => {
    const some = new LoadBalancer({ endpoints: [good, { id: 'b' }] });
    const any = new LoadBalancer<Endpoint>({ endpoints: [good] });
    // @ts-expect-error of the two one has no url
    expect(() => reverseProxy(some)).toThrow(InvalidEndpointError);
    // @ts-expect-error of the two one has no url
    expect(() => balancedDispatcher(some)).toThrow(InvalidEndpointError);
    // @ts-expect-error of the two one has no url
    expect(() => balancedChannel(some)).toThrow(InvalidEndpointError);
    // @ts-expect-error it may have none
    expect(() => reverseProxy(any)).not.toThrow();
  });
});
