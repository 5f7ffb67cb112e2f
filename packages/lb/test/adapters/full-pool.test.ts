import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../support/dispatching.ts';
import { front } from '../support/front.ts';
import { Replica } from '../support/replica.ts';

/** One connection to each endpoint; the first is taken by an event stream. */
const limits = { connections: 1, connectTimeoutMs: 1_000, headersTimeoutMs: 300, idleTimeoutMs: 300_000 };

describe('a request that waits behind a full pool', () => {
  it('goes elsewhere through the proxy when its time is over, and so does a POST, as it was not sent', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    const { url, lb } = await front([a, b], limits);
    const events = await fetch(`${url}/events`);
    for (const method of ['GET', 'POST']) {
      expect(await (await fetch(`${url}/bytes/1`, { method })).text()).toBe('b');
      expect(await (await fetch(`${url}/bytes/1`, { method })).text()).toBe('b');
    }
    const { retries, endpoints } = lb.snapshot();
    expect(retries).toBeGreaterThan(0);
    expect(endpoints).toMatchObject([
      { inFlight: 1, failed: retries },
      { inFlight: 0, failed: 0 },
    ]);
    await events.body?.cancel();
    const alone = await front([a], limits);
    await fetch(`${alone.url}/events`);
    expect((await fetch(alone.url)).status).toBe(504);
  });

  it('goes elsewhere through the dispatcher too', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    const { dispatcher, lb } = dispatching([a, b], limits);
    const events = await request('http://shop/events', { dispatcher });
    for (const method of ['GET', 'POST', 'GET', 'POST'] as const) {
      const { body } = await request('http://shop/bytes/1', { dispatcher, method });
      expect(await body.text()).toBe('b');
    }
    const { retries, endpoints } = lb.snapshot();
    expect(retries).toBeGreaterThan(0);
    expect(endpoints).toMatchObject([
      { inFlight: 1, failed: retries },
      { inFlight: 0, failed: 0 },
    ]);
    events.body.on('error', () => {}).destroy();
    const { dispatcher: alone } = dispatching([a], limits);
    (await request('http://shop/events', { dispatcher: alone })).body.on('error', () => {});
    await expect(request('http://shop/', { dispatcher: alone })).rejects.toMatchObject({
      code: 'UND_ERR_HEADERS_TIMEOUT',
    });
  });
});
