import type { Socket } from 'node:net';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { type Scripted, scripted } from '../../support/servers/scripted.ts';
import { until } from '../../support/until.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Closes a connection when its second request arrives, as an endpoint whose idle timeout passes at that moment. */
function closing(how: (socket: Socket) => void, id: string): Promise<Scripted> {
  const used = new WeakSet<Socket>();
  return scripted(socket => {
    if (used.has(socket)) return how(socket);
    used.add(socket);
    socket.write(ok);
  }, id);
}

const ways: [string, (socket: Socket) => void][] = [
  ['FIN', socket => void socket.end()],
  ['RST', socket => void socket.resetAndDestroy()],
];

describe.each(ways)('a kept connection that the endpoint closes as a request goes out, by %s', (_, how) => {
  it('costs no idempotent request through the proxy, though all are stale', async () => {
    const endpoints = [await closing(how, 'a'), await closing(how, 'b')];
    const { url, lb } = await front(endpoints);
    for (let i = 0; i < 2; i++) expect((await fetch(url)).status).toBe(200);
    for (const init of [{}, {}, { method: 'PUT', body: 'again' }, { method: 'PUT', body: 'again' }]) {
      expect((await fetch(url, init)).status).toBe(200);
    }
    expect(lb.snapshot()).toMatchObject({
      retries: 0,
      inFlight: 0,
      endpoints: [{ failed: 0 }, { failed: 0 }],
    });
    expect(endpoints[0]!.requests.at(-1)).toMatch(/^PUT .*again$/s);
    await until(() => expect(endpoints.map(each => each.connections()).every(open => open <= 1)).toBe(true));
  });

  it('costs no idempotent request through the dispatcher', async () => {
    const endpoint = await closing(how, 'a');
    const { dispatcher, lb } = dispatching([endpoint]);
    for (const method of ['GET', 'GET', 'PUT', 'GET'] as const) {
      const body = method === 'PUT' ? 'again' : null;
      const response = await request('http://shop/', { dispatcher, method, body });
      expect([response.statusCode, await response.body.text()]).toEqual([200, 'ok']);
    }
    expect(lb.snapshot()).toMatchObject({ retries: 0, inFlight: 0, endpoints: [{ failed: 0 }] });
  });

  it('is no reason to repeat a POST, nor what fails on a new connection', async () => {
    const endpoint = await closing(how, 'a');
    const { url, lb } = await front([endpoint]);
    await fetch(url);
    expect((await fetch(url, { method: 'POST', body: 'once' })).status).toBe(502);
    expect(endpoint.requests).toHaveLength(2);
    const broken = await scripted(how);
    const other = await front([broken]);
    expect((await fetch(other.url)).status).toBe(502);
    expect(broken.requests).toHaveLength(1);
    expect(lb.snapshot()).toMatchObject({ endpoints: [{ failed: 1 }] });
  });
});
