import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { LoadBalancer, roundRobin } from '../../src/index.ts';
import { heard } from '../support/heard.ts';
import { listening } from '../support/servers/listening.ts';

/** A client of HTTP that throws for statuses of 400 and more, with the response in the error. */
class StatusError extends Error {
  readonly response: object;
  constructor(response: object) {
    super('bad status');
    this.response = response;
  }
}

async function get(url: string, signal: AbortSignal, shape: (response: Response) => object): Promise<string> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new StatusError(shape(response));
  return response.text();
}

const shapes: Record<string, (response: Response) => object> = {
  'as of fetch': response => response,
  'as of axios': ({ status, headers }) => ({ status, headers: Object.fromEntries(headers) }),
  'as of got': ({ status, headers }) => ({ statusCode: status, headers: Object.fromEntries(headers) }),
};

describe.each(Object.entries(shapes))('an error with a response, %s', (_, shape) => {
  async function balanced(status: number) {
    const server = createServer((request, response) => {
      if (request.url === '/good') return void response.end('good');
      response.writeHead(status, { 'retry-after': '7' }).end();
    });
    const { url } = await listening(server);
    const endpoints = [
      { id: 'a', url: `${url}/bad` },
      { id: 'b', url: `${url}/good` },
    ];
    return new LoadBalancer({ endpoints, policy: roundRobin() });
  }

  it.each([400, 404])('is the answer for a status of %i: not retried, and nobody is blamed', async status => {
    await using lb = await balanced(status);
    const request = () =>
      lb.run(({ endpoint, signal }) => get(endpoint.url, signal, shape), { idempotent: true });
    for (let times = 0; times < 10; times++) {
      await expect(request()).rejects.toThrow(StatusError);
      expect(await request()).toBe('good');
    }
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: [{ failed: 0, succeeded: 10 }, {}] });
  });

  it.each([
    [503, { ok: false, retryAfterMs: 7_000 }],
    [429, { ok: false, retryAfterMs: 7_000, blame: false }],
  ])('is a failure for a status of %i, with what the response says', async (status, outcome) => {
    await using lb = await balanced(status);
    const outcomes = heard('outcome');
    const good = lb.run(({ endpoint, signal }) => get(endpoint.url, signal, shape), { idempotent: true });
    expect(await good).toBe('good');
    expect(outcomes.stop()[0]).toMatchObject({ endpoint: 'a', outcome });
  });
});

it('is a failure when its response is none', async () => {
  await using lb = new LoadBalancer({ endpoints: [{ id: 'a' }] });
  for (const response of [undefined, null, 'x', {}, { status: 200 }, { status: '200', headers: {} }]) {
    await lb.run(() => Promise.reject(new StatusError(response as object))).catch(() => {});
  }
  await lb.run(() => Promise.reject(null)).catch(() => {});
  expect(lb.snapshot().endpoints).toMatchObject([{ failed: 7, succeeded: 0 }]);
});
