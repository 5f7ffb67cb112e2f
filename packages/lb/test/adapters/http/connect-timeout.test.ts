import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { deafUrl } from '../../support/servers/deaf.ts';
import { Replica } from '../../support/servers/replica.ts';

/** The other limits are longer than a test. */
const limits = { connectTimeoutMs: 100, headersTimeoutMs: 600_000, idleTimeoutMs: 600_000 };

/** Round robin begins with one that nobody can connect to. */
const endpoints = async () => [{ id: 'deaf', url: await deafUrl() }, await Replica.start('b')];

describe('an endpoint that does not let anybody connect', () => {
  it('is given up at the time limit, and a POST goes to another through the proxy, as it was not sent', async () => {
    const { url, lb } = await front(await endpoints(), limits);
    const response = await fetch(`${url}/bytes/1`, { method: 'POST', body: 'once' });
    expect([response.status, await response.text()]).toEqual([200, 'b']);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 1 }, { failed: 0 }]);
  });

  it('and through the dispatcher', async () => {
    const { dispatcher, lb } = dispatching(await endpoints(), limits);
    const { statusCode, body } = await request('http://shop/bytes/1', {
      dispatcher,
      method: 'POST',
      body: 'once',
    });
    expect([statusCode, await body.text()]).toEqual([200, 'b']);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 1 }, { failed: 0 }]);
  });

  it('is a 504 when there is no other', async () => {
    const { url } = await front([{ id: 'deaf', url: await deafUrl() }], limits);
    expect((await fetch(url)).status).toBe(504);
  });
});
