import { Resolver } from 'node:dns';
import { InvalidOptionError } from '@ashlar/core';
import { memoryStore } from '@ashlar/store';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dnsDiscovery } from '../../src/adapters/dns.ts';
import { balancedChannel } from '../../src/adapters/grpc.ts';
import { reverseProxy } from '../../src/adapters/proxy.ts';
import { discover, register } from '../../src/adapters/registry.ts';
import { balancedDispatcher } from '../../src/adapters/undici.ts';
import { LoadBalancer } from '../../src/index.ts';

/** What is passed in the place of the options, the option that the error names, and a part of its message. */
type Row = readonly [options: unknown, option: string, message: string];

const lb = new LoadBalancer({ endpoints: [{ id: 'a', url: 'http://127.0.0.1:1' }] });

const upstream: readonly Row[] = [
  [null, '', 'takes an object of options, got null'],
  ['http://a', '', 'takes an object of options, got "http://a"'],
  [[{ host: 'endpoint' }], '', 'takes an object of options, got an array'],
  [{ idleTimeout: 5 }, 'idleTimeout', 'did you mean `idleTimeoutMs`?'],
  [{ requestBufferBytes: 1.5 }, 'requestBufferBytes', 'an integer of at least 0, got 1.5'],
  [{ maxHeaderBytes: '16kb' }, 'maxHeaderBytes', 'an integer of at least 1, got "16kb"'],
  [{ connections: 0 }, 'connections', 'an integer of at least 1, got 0'],
  [{ connections: null }, 'connections', 'got null'],
  [{ connectTimeoutMs: '2s' }, 'connectTimeoutMs', 'a number of milliseconds'],
  [{ headersTimeoutMs: 0 }, 'headersTimeoutMs', 'above 0'],
  [{ idleTimeoutMs: 2 ** 31 }, 'idleTimeoutMs', 'at most 2147483647'],
  [{ tls: 'ca.pem' }, 'tls', 'takes an object of options, got "ca.pem"'],
  [{ tls: { caFile: 'ca.pem' } }, 'tls.caFile', 'has no option `caFile`'],
  [{ tls: { ca: 5 } }, 'tls.ca', 'a PEM text, a Buffer or a list of them, got 5 (number)'],
  [{ tls: { rejectUnauthorized: 'no' } }, 'tls.rejectUnauthorized', 'true or false, got "no"'],
  [{ key: 'user' }, 'key', 'a function, got "user"; write `request => request.'],
];

const entries: readonly (readonly [string, (options: unknown) => unknown, readonly Row[]])[] = [
  [
    'reverseProxy',
    options => reverseProxy(lb, options as object),
    [
      ...upstream,
      [{ retries: 3 }, 'retries', 'reverseProxy has no option `retries`'],
      [{ host: 'upstream' }, 'host', '"client" or "endpoint", got "upstream"'],
      [{ trustForwarded: 'false' }, 'trustForwarded', 'true or false, got "false"'],
      [{ responseBufferBytes: -1 }, 'responseBufferBytes', 'an integer of at least 0, got -1'],
      [{ timeoutMs: 0 }, 'timeoutMs', 'a number of milliseconds above 0'],
    ],
  ],
  [
    'balancedDispatcher',
    options => balancedDispatcher(lb, options as object),
    [
      ...upstream,
      [{ host: 'client' }, 'host', '"request" or "endpoint", got "client"'],
      [
        { origin: 'shop' },
        'origin',
        'a url, got "shop"; write an origin with its protocol, as `http://shop`',
      ],
      [{ origin: 'shop:80' }, 'origin', 'a url, got "shop:80"'],
      [{ origin: null }, 'origin', 'a url, got null'],
      [
        { otherwise: 'http://a' },
        'otherwise',
        'an object with dispatch(), got "http://a"; write `new Agent()`',
      ],
      [{ otherwise: { dispatch: () => true } }, 'otherwise', '`origin` is missing'],
    ],
  ],
  [
    'balancedChannel',
    options => balancedChannel(lb, options as object),
    [
      [null, '', 'takes an object of options, got null'],
      [{ host: 'a' }, 'host', 'balancedChannel has no option `host`'],
      [{ authority: '' }, 'authority', 'a string that is not empty, got ""'],
      [{ key: 'tenant' }, 'key', 'a function, got "tenant"'],
      [{ classify: {} }, 'classify', 'a function, got an empty object'],
      [{ serviceConfig: '{}' }, 'serviceConfig', 'an object, got "{}"'],
    ],
  ],
  [
    'dnsDiscovery',
    options => dnsDiscovery('shop', options as { port: number }),
    [
      [8080, '', 'takes an object of options, got 8080 (number)'],
      [{}, 'port', '`port` is required: addresses have no port'],
      [{ port: '80' }, 'port', 'an integer of at least 1 and at most 65535, got "80"'],
      [{ type: 'SRV', port: 80 }, 'port', 'leave out `port`'],
      [{ type: 'MX', port: 80 }, 'type', '"A" or "AAAA" or "A+AAAA" or "SRV", got "MX"'],
      [{ port: 80, protocol: 'h2' }, 'protocol', '"http" or "https", got "h2"'],
      [{ port: 80, interval: 5 }, 'interval', 'did you mean `intervalMs`?'],
      [{ port: 80, intervalMs: 10, minIntervalMs: 20 }, 'minIntervalMs', 'at most 10, got 20'],
      [{ port: 80, timeoutMs: 0 }, 'timeoutMs', 'above 0, got 0'],
      [{ port: 80, jitter: null }, 'jitter', 'a number of at least 0, got null'],
      [
        { port: 80, resolver: '8.8.8.8' },
        'resolver',
        "write `new Resolver()`, imported from 'node:dns/promises'",
      ],
      [{ port: 80, resolver: new Resolver() }, 'resolver', "imported from 'node:dns/promises'"],
      [{ port: 80, signal: new AbortController() }, 'signal', '`controller.signal`'],
      [{ port: 80, clock: Date }, 'clock', 'an object with now(), sleep()'],
      [{ port: 80, random: 4 }, 'random', 'a function, got 4 (number)'],
    ],
  ],
  [
    'discover',
    options => discover(memoryStore(), 'shop', options as object),
    [
      [null, '', 'takes an object of options, got null'],
      [{ ttlMs: 5 }, 'ttlMs', 'discover has no option `ttlMs`'],
      [{ signal: 5 }, 'signal', 'an AbortSignal, got 5 (number)'],
    ],
  ],
];

describe.each(entries)('%s', (name, make, rows) => {
  it.each(rows)('refuses %o', (options, option, message) => {
    const error = thrownBy(() => make(options));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option: option === '' ? name : option });
    expect((error as Error).message).toContain(message);
  });
});

describe('arguments', () => {
  it.each<readonly [string, (balancer: never) => unknown]>([
    ['reverseProxy', balancer => reverseProxy(balancer)],
    ['balancedDispatcher', balancer => balancedDispatcher(balancer)],
    ['balancedChannel', balancer => balancedChannel(balancer)],
  ])('%s needs a balancer', (_, make) => {
    for (const wrong of [undefined, null, {}, 'http://a', [{ id: 'a' }], { balancer: lb }]) {
      const error = thrownBy(() => make(wrong as never));
      expect(error).toMatchObject({ code: InvalidOptionError.code, option: 'balancer' });
      expect((error as Error).message).toContain('write `new LoadBalancer({ endpoints })`');
    }
  });

  it.each([undefined, null, '', 'http://shop', 'shop:80', 'my shop', 5, ['shop']])(
    '%o is no DNS name',
    name => {
      const error = thrownBy(() => dnsDiscovery(name as string, { port: 80 }));
      expect(error).toMatchObject({ option: 'name' });
      expect((error as Error).message).toContain('write a bare name, as `shop.internal`');
    },
  );

  it.each([undefined, null, 'redis://a', {}])('%o is no store', async store => {
    const expected = { code: InvalidOptionError.code, option: 'store' };
    expect(thrownBy(() => discover(store as never))).toMatchObject(expected);
    await expect(register(store as never, { id: 'a' })).rejects.toMatchObject(expected);
    await expect(register(store as never, { id: 'a' })).rejects.toThrow(
      "imported from '@ashlar/store/redis'",
    );
  });

  it('of a registration are checked before anything is written', async () => {
    const store = memoryStore();
    onTestFinished(() => store.close());
    const a = { id: 'a' };
    for (const service of ['', null, { service: 'shop' }, '\ud800']) {
      expect(thrownBy(() => discover(store, service as string))).toMatchObject({ option: 'service' });
    }
    await expect(register(store, a, null as never)).rejects.toThrow('takes an object of options, got null');
    await expect(register(store, a, { service: '' })).rejects.toMatchObject({ option: 'service' });
    await expect(register(store, a, { ttlMs: 0 })).rejects.toMatchObject({ option: 'ttlMs' });
    await expect(register(store, a, { ttlms: 1 } as never)).rejects.toThrow('did you mean `ttlMs`?');
    await expect(register(store, null as never)).rejects.toThrow('must be an object with an `id`, got null');
    const registration = await register(store, a);
    await expect(registration.update(null as never)).rejects.toThrow('must be an object with an `id`');
    await registration.close();
  });

  it('of a call are checked too', () => {
    expect(() => reverseProxy(lb)({ raw: {} } as never, {} as never)).toThrow(
      'got an object with raw; in Fastify write `proxy(request.raw, reply.raw)`',
    );
    const dispatcher = balancedDispatcher(lb);
    const invalid = { code: 'UND_ERR_INVALID_ARG' };
    expect(thrownBy(() => dispatcher.dispatch(null as never, {}))).toMatchObject(invalid);
    expect(thrownBy(() => dispatcher.dispatch({ path: '/', method: 'GET' }, null as never))).toMatchObject(
      invalid,
    );
    expect(thrownBy(() => dispatcher.dispatch({ method: 'GET' } as never, {}))).toMatchObject(invalid);
    const nowhere = { origin: 'shop', path: '/', method: 'GET' } as const;
    expect(thrownBy(() => dispatcher.dispatch(nowhere, {}))).toMatchObject(invalid);
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
