import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { Replica } from '../../support/servers/replica.ts';

/** One connection to each endpoint; the first is taken by an event stream. */
const limits = { connections: 1, connectTimeoutMs: 200, headersTimeoutMs: 400, idleTimeoutMs: 300_000 };

/** Half of them wait at the full one: more than the five failures in a row that eject an endpoint. */
const many = Array.from({ length: 12 });

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
    const before = retries;
    await Promise.all(many.map(async () => (await fetch(`${url}/bytes/1`)).text()));
    expect(lb.snapshot().retries).toBeGreaterThan(before);
    expect(lb.snapshot().endpoints.map(({ state }) => state)).toEqual(['up', 'up']);
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
    await Promise.all(
      many.map(async () => (await request('http://shop/bytes/1', { dispatcher })).body.dump()),
    );
    expect(lb.snapshot().endpoints.map(({ state }) => state)).toEqual(['up', 'up']);
    events.body.on('error', () => {}).destroy();
    const { dispatcher: alone } = dispatching([a], limits);
    (await request('http://shop/events', { dispatcher: alone })).body.on('error', () => {});
    await expect(request('http://shop/', { dispatcher: alone })).rejects.toMatchObject({
      code: 'UND_ERR_HEADERS_TIMEOUT',
    });
  });

  it('goes elsewhere when its attempt is over while it waits, also a POST, and ejects nobody', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    const balancing = { retry: { attemptTimeoutMs: 300 } };
    const { url, lb } = await front([a, b], { connections: 1 }, balancing);
    const { dispatcher, lb: other } = dispatching([a, b], { connections: 1 }, balancing);
    await fetch(`${url}/events`, { method: 'POST' });
    const events = await request('http://shop/events', { dispatcher, method: 'POST' });
    events.body.on('error', () => {});
    for (let i = 0; i < 2; i++) {
      expect(await (await fetch(`${url}/bytes/1`, { method: 'POST' })).text()).toBe('b');
      const { body } = await request('http://shop/bytes/1', { dispatcher, method: 'POST' });
      expect(await body.text()).toBe('b');
    }
    expect(lb.snapshot().retries + other.snapshot().retries).toBeGreaterThan(1);
  });
});
