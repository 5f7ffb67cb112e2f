import { createServer } from 'node:http';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import type { ProxyResult } from '../../../../src/adapters/proxy.ts';
import { balancedDispatcher, type DispatchResult } from '../../../../src/adapters/undici.ts';
import type { EndpointWithUrl } from '../../../../src/index.ts';
import { dispatching } from '../../../support/dispatching.ts';
import { front } from '../../../support/front.ts';
import { listening } from '../../../support/servers/listening.ts';

const limited = { 'retry-after': '3600' };

/** Endpoints that always answer with these statuses. */
async function answering(...statuses: number[]): Promise<EndpointWithUrl[]> {
  return Promise.all(
    statuses.map(async (status, index) => {
      const headers = status === 429 ? limited : {};
      const server = createServer((_, response) => response.writeHead(status, headers).end(String(status)));
      return { id: String(index), url: (await listening(server)).url };
    }),
  );
}

describe('a 429 with Retry-After', () => {
  it('is retried elsewhere where that is safe, and blames nobody', async () => {
    const { url, lb } = await front(await answering(429, 200), {}, { outlier: { consecutiveFailures: 1 } });
    for (let i = 0; i < 6; i++) expect((await fetch(url)).status).toBe(200);
    expect(lb.snapshot().retries).toBe(6);
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'up', failed: 6 });
  });

  it('reaches the client when all endpoints answer so', async () => {
    const { url, lb } = await front(await answering(429, 429));
    const response = await fetch(url);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '3600']);
    expect(lb.snapshot().endpoints).toMatchObject([{ state: 'up' }, { state: 'up' }]);
  });

  it('is not retried for a POST, nor without Retry-After', async () => {
    const { url } = await front(await answering(429, 200));
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(429);
    const server = createServer((_, response) => response.writeHead(429).end());
    const plain = { id: 'a', url: (await listening(server)).url };
    const other = await front([plain, ...(await answering(200))]);
    expect((await fetch(other.url)).status).toBe(429);
  });

  it('is retried elsewhere by the dispatcher too', async () => {
    const { lb } = await front(await answering(429, 200));
    const dispatcher = balancedDispatcher(lb);
    for (let i = 0; i < 4; i++) {
      const { statusCode, body } = await request('http://shop/', { dispatcher });
      expect([statusCode, await body.text()]).toEqual([200, '200']);
    }
    const { statusCode, body } = await request('http://shop/', { method: 'POST', body: 'x', dispatcher });
    expect([statusCode, await body.text()]).toEqual([429, '429']);
    await dispatcher.close();
  });
});

const nonsense = [
  () => {
    throw new Error('as told');
  },
  () => 'bad' as never,
  () => ({ good: true }) as never,
  () => Promise.resolve({ ok: true }) as never,
];

describe('classify of the proxy', () => {
  it('decides what an answer means', async () => {
    const results: ProxyResult[] = [];
    const options = {
      classify: (result: ProxyResult) => {
        results.push(result);
        if (result.status === 404) return { ok: false, retry: true };
        return result.status === 500 ? { ok: true } : undefined;
      },
    };
    const { url, lb } = await front(await answering(404, 500, 503), options);
    // 404 is retried at 500, which is as good as any answer
    expect((await fetch(url)).status).toBe(500);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 1 }, { succeeded: 1 }, { picked: 0 }]);
    expect(results.map(({ endpoint, status, request }) => [endpoint.id, status, request.method])).toEqual([
      ['0', 404, 'GET'],
      ['1', 500, 'GET'],
    ]);
    // the third is next, and its 503 is retried by the default
    expect((await fetch(url)).status).toBe(500);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 2 }, { succeeded: 2 }, { failed: 1 }]);
  });

  it('decides what an error means, and whether it is retried', async () => {
    const [up] = await answering(200);
    const endpoints = [{ id: 'down', url: 'http://127.0.0.1:1' }, up!];
    const options = {
      classify: ({ error }: ProxyResult) => (error ? { ok: false, blame: false, retry: false } : undefined),
    };
    const { url, lb } = await front(endpoints, options, { outlier: { consecutiveFailures: 1 } });
    expect((await fetch(url)).status).toBe(502);
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'up', failed: 1 });
  });

  it('retries only what another endpoint may still answer', async () => {
    const { url, lb } = await front(await answering(500, 200), {
      classify: () => ({ ok: false, retry: true }),
    });
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(500);
    expect(lb.snapshot().retries).toBe(0);
  });

  it('that throws or gives nonsense is a 500 that blames nobody', async () => {
    for (const classify of nonsense) {
      const { url, lb } = await front(await answering(200, 200), { classify });
      expect((await fetch(url)).status).toBe(500);
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }, { failed: 0 }] });
    }
  });
});

describe('classify of the dispatcher', () => {
  it('decides what a head means, and whether another endpoint is asked', async () => {
    const results: DispatchResult[] = [];
    const classify = (result: DispatchResult) => {
      results.push(result);
      if (result.status === 404) return { ok: false, retry: true };
      if (result.status === 503) return { ok: false, retry: false };
      return result.status === 500 ? { ok: true } : undefined;
    };
    const { lb, dispatcher } = dispatching(await answering(404, 500, 503), { classify });
    const answer = await request('http://shop/', { dispatcher });
    expect([answer.statusCode, await answer.body.text()]).toEqual([500, '500']);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 1 }, { succeeded: 1 }, { picked: 0 }]);
    expect(results.map(result => [result.endpoint.id, result.status, result.request.path])).toEqual([
      ['0', 404, '/'],
      ['1', 500, '/'],
    ]);
    const third = await request('http://shop/', { dispatcher });
    expect([third.statusCode, await third.body.text()]).toEqual([503, '503']);
  });

  it('decides what an error means, once more when a body breaks', async () => {
    const [up] = await answering(200);
    const broken = createServer((_, response) => {
      response.writeHead(200, { 'content-length': 9 }).write('half', () => response.destroy());
    });
    const endpoints = [{ id: 'down', url: 'http://127.0.0.1:1' }, up!];
    const results: DispatchResult[] = [];
    const classify = (result: DispatchResult) => {
      results.push(result);
      return result.error ? { ok: false, blame: false, retry: false } : undefined;
    };
    const { lb, dispatcher } = dispatching(endpoints, { classify }, { outlier: { consecutiveFailures: 1 } });
    await expect(request('http://shop/', { dispatcher })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(lb.snapshot().endpoints[0]).toMatchObject({ state: 'up', failed: 1 });
    expect(results).toMatchObject([{ error: { code: 'ECONNREFUSED' } }]);
    const half = dispatching([{ id: 'a', url: (await listening(broken)).url }], { classify });
    const { body } = await request('http://shop/', { dispatcher: half.dispatcher });
    await expect(body.text()).rejects.toThrow();
    expect(results.slice(1)).toMatchObject([{ status: 200 }, { error: { code: 'UND_ERR_SOCKET' } }]);
  });

  it('retries only what another endpoint may still answer', async () => {
    const classify = () => ({ ok: false, retry: true });
    const { lb, dispatcher } = dispatching(await answering(500, 200), { classify });
    const { statusCode } = await request('http://shop/', { dispatcher, method: 'POST', body: 'x' });
    expect([statusCode, lb.snapshot().retries]).toEqual([500, 0]);
  });

  it('that throws or gives nonsense fails the call, and blames nobody', async () => {
    for (const classify of nonsense) {
      const { lb, dispatcher } = dispatching(await answering(200, 200), { classify });
      await expect(request('http://shop/', { dispatcher })).rejects.toThrow(/as told|classify/);
      expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ failed: 0 }, { failed: 0 }] });
    }
  });
});
