import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { ManualClock } from '@ashlar/core/testing';
import { BalancedPool, type Dispatcher, request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ClosedError, type EndpointWithUrl, leastRequests, NoEndpointError } from '../../../src/index.ts';
import { Feed } from '../../support/discovery/feed.ts';
import { aAndB, dispatching } from '../../support/dispatching.ts';
import { listening } from '../../support/servers/listening.ts';
import { Replica } from '../../support/servers/replica.ts';
import { until } from '../../support/until.ts';

const url = 'http://shop/';
const impatient = { headersTimeoutMs: 1_000, idleTimeoutMs: 1_000 };

describe('a request of an idempotent method', () => {
  it.each(['reset', 'silent', 'longHead', 'garbage', 'unavailable'])(
    'goes to another endpoint when the first is %s',
    async mode => {
      const { dispatcher, lb } = await aAndB(mode, impatient);
      const { headers, body } = await request(url, { dispatcher, method: 'PUT', body: 'again and again' });
      expect(headers['x-replica']).toBe('b');
      expect(await body.json()).toMatchObject({ bytes: 15 });
      expect(lb.snapshot()).toMatchObject({
        inFlight: 0,
        retries: 1,
        endpoints: [
          { failed: 1, inFlight: 0 },
          { succeeded: 1, inFlight: 0 },
        ],
      });
    },
  );

  it('is sent whole a second time, when its body is a stream that was kept', async () => {
    const { dispatcher } = await aAndB('unavailable');
    const body = Readable.from(Array.from({ length: 40 }, () => 'x'.repeat(1_000)));
    const seen = await request(url, { dispatcher, method: 'PUT', body });
    expect(await seen.body.json()).toMatchObject({ id: 'b', bytes: 40_000 });
  });

  it('is not sent again when its body was too large to keep: the caller gets the response', async () => {
    const { dispatcher, lb } = await aAndB('unavailable', { requestBufferBytes: 1_000 });
    const body = Readable.from(['x'.repeat(2_000)]);
    const { statusCode, headers, body: said } = await request(url, { dispatcher, method: 'PUT', body });
    expect([statusCode, headers['retry-after'], await said.text()]).toEqual([503, '3', 'later']);
    expect(lb.snapshot().retries).toBe(0);
  });

  it('gets what the last endpoint said when there is no other, and the connections serve on', async () => {
    const { dispatcher, a, b } = await aAndB('unavailable');
    await b.mode('unavailable');
    for (let i = 0; i < 20; i++) {
      const { statusCode, body } = await request(url, { dispatcher });
      expect([statusCode, await body.text()]).toEqual([503, 'later']);
    }
    // one to speak on, one that is still being drained
    for (const replica of [a, b]) expect(await replica.mode('ok')).toBeLessThanOrEqual(2);
  });

  it('gets the error of undici when there is no other', async () => {
    const { dispatcher } = dispatching([{ id: 'a', url: 'http://127.0.0.1:1' }]);
    await expect(request(url, { dispatcher })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    const { dispatcher: none } = dispatching([]);
    await expect(request(url, { dispatcher: none })).rejects.toMatchObject({ code: NoEndpointError.code });
  });

  it('is cut off, not repeated, when the response ends half-way', async () => {
    const { dispatcher, lb } = await aAndB('truncated');
    const { statusCode, body } = await request(url, { dispatcher });
    expect(statusCode).toBe(200);
    await expect(body.text()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    await until(() =>
      expect(lb.snapshot()).toMatchObject({ retries: 0, inFlight: 0, endpoints: [{ failed: 1 }, {}] }),
    );
  });
});

describe('a request of another method', () => {
  it('goes to another endpoint only when no connection was made', async () => {
    const [b] = (await Replica.all('b')) as [Replica];
    const { dispatcher, lb } = dispatching([{ id: 'a', url: 'http://127.0.0.1:1' }, b]);
    const body = Readable.from(['some', 'thing']);
    const posted = await request(url, { dispatcher, method: 'POST', body });
    expect(await posted.body.json()).toMatchObject({ id: 'b', bytes: 9 });
    expect(lb.snapshot().retries).toBe(1);
    const { dispatcher: resetting } = await aAndB('reset');
    await expect(request(url, { dispatcher: resetting, method: 'POST', body: 'x' })).rejects.toThrow();
  });

  it('is idempotent when its caller says so', async () => {
    const { dispatcher } = await aAndB('reset');
    const { headers } = await request(url, { dispatcher, method: 'POST', body: 'x', idempotent: true });
    expect(headers['x-replica']).toBe('b');
  });
});

describe('what is not the fault of an endpoint', () => {
  const untouched = { endpoints: [{ failed: 0, succeeded: 0, inFlight: 0 }, {}] };

  it('is an abort, before the answer and in the middle of it', async () => {
    const { dispatcher, lb, a } = await aAndB('silent');
    const early = new AbortController();
    const given = expect(request(url, { dispatcher, signal: early.signal })).rejects.toThrow('enough');
    await a.saw('silent');
    early.abort(new Error('enough'));
    await given;
    await until(() => expect(lb.snapshot()).toMatchObject(untouched));
    await a.mode('half');
    const late = new AbortController();
    await (await request(url, { dispatcher })).body.dump();
    const { body } = await request(url, { dispatcher, signal: late.signal });
    late.abort(new Error('enough'));
    await expect(body.text()).rejects.toThrow('enough');
    await until(() => expect(lb.snapshot()).toMatchObject(untouched));
    const over = AbortSignal.abort(new Error('never'));
    await expect(request(url, { dispatcher, signal: over })).rejects.toThrow('never');
  });

  it.each([64, 0])('is a body that stalls, of which %i bytes may be kept', async requestBufferBytes => {
    const { dispatcher, lb } = await aAndB('ok', { idleTimeoutMs: 100, requestBufferBytes });
    const body = new Readable({ read() {} });
    body.push('begun');
    await expect(request(url, { dispatcher, method: 'PUT', body })).rejects.toMatchObject({
      code: 'ASHLAR_LB_REQUEST_STALLED',
      idleTimeoutMs: 100,
    });
    expect(body.destroyed).toBe(true);
    await until(() => expect(lb.snapshot()).toMatchObject(untouched));
  });

  it.each(['connecting', 'waiting for discovery', 'full', 'hanging'])(
    'is a body that fails before it is read: %s',
    async window => {
      const [a] = (await Replica.all('a')) as [Replica];
      const feed = window === 'waiting for discovery' ? new Feed<EndpointWithUrl>() : [a];
      const { dispatcher, lb } = dispatching(feed, {}, { concurrency: 1 });
      if (window === 'full') lb.pick();
      if (window === 'hanging') await a.mode('silent');
      const body = createReadStream('/nope');
      const asked = request(url, { dispatcher, method: 'POST', body });
      await expect(asked).rejects.toMatchObject({ code: 'ENOENT' });
      expect(lb.snapshot().endpoints.every(({ failed }) => failed === 0)).toBe(true);
      const pending = new Readable({ read() {} });
      const other = request(url, { dispatcher, method: 'POST', body: pending });
      queueMicrotask(() => pending.destroy(new Error('my own')));
      await expect(other).rejects.toThrow('my own');
      expect(lb.snapshot().endpoints.every(({ failed }) => failed === 0)).toBe(true);
    },
  );

  it('is a request that cannot be sent, a body that fails, a handler that throws', async () => {
    const { dispatcher, lb } = await aAndB();
    await expect(request(url, { dispatcher, headers: { 'bad header': '1' } })).rejects.toMatchObject({
      code: 'UND_ERR_INVALID_ARG',
    });
    const failing = Readable.from(
      (async function* () {
        yield 'x';
        throw new Error('no more');
      })(),
    );
    await expect(request(url, { dispatcher, method: 'PUT', body: failing })).rejects.toThrow('no more');
    const told: unknown[] = [];
    await new Promise<void>(resolve => {
      dispatcher.dispatch(
        { origin: url, path: '/', method: 'GET' },
        {
          onRequestStart() {},
          onResponseStart() {
            throw new Error('mine');
          },
          onResponseError: (_, error) => resolve(void told.push(error.message)),
        },
      );
    });
    expect(told).toEqual(['mine']);
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }, { failed: 0 }] });
    expect(() => dispatcher.dispatch({ path: '/', method: 'GET' }, undefined as never)).toThrow(
      'handler must be',
    );
  });
});

describe('the end', () => {
  it('waits for what is under way, then closes the connections', async () => {
    const { dispatcher, a } = await aAndB();
    const events = await request('http://shop/events', { dispatcher });
    const reader = events.body[Symbol.asyncIterator]();
    await reader.next();
    let closed = false;
    const closing = dispatcher.close().then(() => {
      closed = true;
    });
    await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: ClosedError.code });
    expect(closed).toBe(false);
    await a.mode('ok');
    while ((await reader.next()).done !== true);
    await closing;
    await new Promise<void>(resolve => dispatcher.close(resolve));
    await until(async () => expect(await a.mode('ok')).toBe(0));
  });

  it('breaks off what is under way when it is destroyed', async () => {
    const { dispatcher, a, lb } = await aAndB('silent');
    const asked = request(url, { dispatcher });
    const refused = expect(asked).rejects.toThrow('over');
    await a.saw('silent');
    await dispatcher.destroy(new Error('over'));
    await refused;
    await new Promise<void>(resolve => dispatcher.destroy(resolve));
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }, {}] });
  });

  it('ends with the balancer, or waits for its first endpoints', async () => {
    const feed = new Feed<EndpointWithUrl>();
    const [a] = (await Replica.all('a')) as [Replica];
    const { dispatcher, lb } = dispatching(feed);
    const asked = request(url, { dispatcher });
    await feed.give([a]);
    expect((await asked).headers['x-replica']).toBe('a');
    await a.mode('silent');
    const refused = expect(request(url, { dispatcher })).rejects.toMatchObject({ code: ClosedError.code });
    await a.saw('silent');
    await lb.close();
    await refused;
  });
});

describe('two hosts, of which one goes away and comes back', () => {
  /** A host that can be taken away and brought back on its port, and counts its requests. */
  async function host(): Promise<{
    url: string;
    served: () => number;
    down(): Promise<void>;
    up(): Promise<void>;
  }> {
    let served = 0;
    const server = createServer((_, response) => {
      served++;
      response.end('ok');
    });
    const { url, port, close } = await listening(server);
    const up = async () => {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    };
    return { url, served: () => served, down: close, up };
  }

  async function after(dispatcher: (urls: [string, string]) => Dispatcher, later: () => Promise<void>) {
    const [a, b] = [await host(), await host()];
    const used = dispatcher([a.url, b.url]);
    onTestFinished(() => used.destroy());
    const ask = async (count: number) => {
      let failed = 0;
      for (let i = 0; i < count; i++) {
        try {
          await (await used.request({ origin: url, path: '/', method: 'GET' })).body.text();
        } catch {
          failed++;
        }
      }
      return failed;
    };
    await ask(20);
    await b.down();
    const failed = await ask(20);
    await b.up();
    await later();
    const before = b.served();
    const failedAfter = await ask(60);
    return { failed: failed + failedAfter, share: (b.served() - before) / 60 };
  }

  it('costs no request, and it serves its part again', async () => {
    const clock = new ManualClock();
    const balanced = await after(
      urls => {
        const endpoints = urls.map((each, index) => ({ id: `host ${index}`, url: each }));
        return dispatching(endpoints, {}, { policy: leastRequests(), clock }).dispatcher;
      },
      () => clock.advance(60_000),
    );
    expect(balanced.failed).toBe(0);
    expect(balanced.share).toBeGreaterThan(0.3);
    const pool = await after(
      urls => new BalancedPool(urls),
      async () => {},
    );
    expect(pool.failed).toBeGreaterThan(0);
  });
});
