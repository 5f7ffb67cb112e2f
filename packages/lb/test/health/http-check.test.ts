import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { promisify } from 'node:util';
import { InvalidOptionError } from '@ashlar/core';
import { programArgs } from '@workspace/faults';
import { describe, expect, it } from 'vitest';
import {
  type Endpoint,
  type HttpCheckOptions,
  httpCheck,
  LoadBalancer,
  roundRobin,
} from '../../src/index.ts';
import { stateOf } from '../support/policies/picking.ts';
import { listening } from '../support/servers/listening.ts';
import { Replica } from '../support/servers/replica.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;

describe('httpCheck', () => {
  it('asks below the path of the url and heeds status and body', async () => {
    const [replica] = (await Replica.all('a')) as [Replica];
    const ask = (options: HttpCheckOptions, url = replica.url) =>
      httpCheck(options)({ endpoint: { id: 'a', url }, signal: never });
    await ask({ path: '/healthz' });
    await ask(
      { path: '/healthz?deep=1', expectBody: '"url":"/base/healthz?deep=1"' },
      `${replica.url}/base/`,
    );
    await ask({ expectStatus: 200, expectBody: /"id":"a"/g });
    await ask({ path: '/status/204' });
    await ask({ path: '/status/301', expectStatus: [200, 301] });
    await ask({ method: 'HEAD' });
    await ask({ headers: { 'x-probe': '1' }, expectBody: '"x-probe":"1"' });
    const named = replica.url.replace('http://', 'http://u%3A:p@');
    await ask({ expectBody: `"authorization":"Basic ${btoa('u::p')}"` }, named);
    await expect(ask({ path: '/status/301' })).rejects.toThrow('it answered with status 301');
    await expect(ask({ expectStatus: 204 })).rejects.toThrow('it answered with status 200');
    await expect(ask({ expectBody: 'fine' })).rejects.toThrow('its body lacks fine');
    await replica.mode('unavailable');
    await expect(ask({})).rejects.toThrow('it answered with status 503');
  });

  it('uses its connection again, and looks only at the beginning of a long body', async () => {
    let connections = 0;
    const server = createServer(({ url }, response) =>
      response.end(`${'a'.repeat(url === '/' ? 70_000 : 9)}b`),
    );
    server.on('connection', () => void connections++);
    const { url } = await listening(server);
    const endpoint = { id: 'a', url };
    for (let i = 0; i < 20; i++)
      await httpCheck({ path: '/short', expectBody: 'b' })({ endpoint, signal: never });
    // A second one where the first was not yet seen to be free
    expect(connections).toBeLessThanOrEqual(2);
    const check = httpCheck({ expectBody: 'b' });
    await expect(check({ endpoint, signal: never })).rejects.toThrow('its body lacks b');
  });

  it('names the host that it is told', async () => {
    const [replica] = (await Replica.all('a')) as [Replica];
    const check = httpCheck({ headers: { host: 'shop.internal' }, expectBody: '"host":"shop.internal"' });
    await check({ endpoint: { id: 'a', url: replica.url }, signal: never });
  });

  it('asks at any port, also those that `fetch` refuses', async () => {
    for (const port of [6_666, 6_697, 10_080, 5_061]) {
      const server = createServer((_, response) => response.end('fine'));
      const isFree = await new Promise(resolve => {
        server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
      });
      if (!isFree) continue;
      const url = `http://127.0.0.1:${port}`;
      try {
        await httpCheck({ expectBody: 'fine' })({ endpoint: { id: 'a', url }, signal: never });
        const byFetch = httpCheck({ fetch })({ endpoint: { id: 'a', url }, signal: never });
        await expect(byFetch).rejects.toThrow('it cannot be reached: bad port');
        return;
      } finally {
        server.close().closeAllConnections();
      }
    }
    throw new Error('no such port is free');
  });

  it.each([
    ['us%C5%82r:p%C3%A9%F0%9F%94%91', 'usłr:pé🔑'],
    ['100%:50%zz', '100%:50%zz'],
  ])('sends the credentials of a url in UTF-8: %s', async (userinfo, expected) => {
    const [replica] = (await Replica.all('a')) as [Replica];
    const url = replica.url.replace('http://', `http://${userinfo}@`);
    const expectBody = `"authorization":"Basic ${Buffer.from(expected).toString('base64')}"`;
    await httpCheck({ expectBody })({ endpoint: { id: 'a', url }, signal: never });
  });

  it('does not fail for a kept connection that the endpoint closes as it asks', async () => {
    let resets = 0;
    const server = createNetServer(socket => {
      let requests = 0;
      socket
        .on('error', () => {})
        .on('data', () => {
          if (++requests > 1) {
            resets++;
            socket.resetAndDestroy();
          } else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        });
    });
    const { url } = await listening(server);
    for (let times = 0; times < 10; times++) {
      await httpCheck()({ endpoint: { id: 'a', url }, signal: never });
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(resets).toBeGreaterThan(0);
  });

  it('fails where nobody answers, as a connection or in HTTP', async () => {
    const [replica] = (await Replica.all('a')) as [Replica];
    const ask = (url?: string) =>
      httpCheck()({ endpoint: url === undefined ? { id: 'a' } : { id: 'a', url }, signal: never });
    await replica.mode('reset');
    await expect(ask(replica.url)).rejects.toThrow(/^it cannot be reached: /);
    await replica.mode('truncated');
    await expect(ask(replica.url)).rejects.toThrow();
    await replica.kill();
    await expect(ask(replica.url)).rejects.toThrow('it cannot be reached: ECONNREFUSED');
    for (const url of [undefined, '', 'nonsense']) {
      await expect(ask(url)).rejects.toThrow('endpoint "a" has no valid url');
    }
    await expect(ask('ftp://127.0.0.1')).rejects.toThrow('it cannot be reached');
  });

  it('takes out replicas that break, hang or die, and lets back who recovers', async () => {
    const replicas = await Replica.all('a', 'b', 'c', 'd', 'e');
    const [, broken, hanging, dying, reset] = replicas;
    const endpoints: Endpoint[] = replicas.map(({ id, url }) => ({ id, url }));
    const check = httpCheck({ path: '/healthz' });
    const health = { check, intervalMs: 20, timeoutMs: 500, unhealthyAfter: 2, healthyAfter: 2 };
    await using lb = new LoadBalancer({ endpoints, policy: roundRobin(), health, panicPercent: 0 });
    const states = () => lb.snapshot().endpoints.map(({ state }) => state);
    const all = endpoints.map(() => 'up');
    await broken!.mode('broken');
    await hanging!.mode('silent');
    await dying!.kill();
    await reset!.mode('reset');
    const out = ['up', 'unhealthy', 'unhealthy', 'unhealthy', 'unhealthy'];
    await until(() => expect(states()).toEqual(out));
    for (let i = 0; i < 30; i++) {
      const response = await lb.run(({ endpoint, signal }) => fetch(endpoint.url!, { signal }));
      expect(response.headers.get('x-replica')).toBe('a');
      await response.text();
    }
    for (const replica of [broken!, hanging!, reset!]) await replica.mode('ok');
    await until(() => expect(states()).toEqual(all.with(3, 'unhealthy')));
    expect(stateOf(lb, 'd')).toBe('unhealthy');
  });

  it('frees what a check of the user leaves open', async () => {
    const server = createServer((_, response) =>
      response.writeHead(200, { 'content-length': 2_000 }).write('x'),
    );
    const { url, connections } = await listening(server);
    let checks = 0;
    const check = async ({ signal }: { signal: AbortSignal }) => {
      checks++;
      return (await fetch(url, { signal })).ok;
    };
    await using lb = new LoadBalancer({ endpoints: [{ id: 'a' }], health: { check, intervalMs: 1 } });
    await until(() => expect(checks).toBeGreaterThan(5));
    expect(stateOf(lb, 'a')).toBe('up');
    await lb.close();
    await until(() => expect(connections()).toBe(0));
  });

  it('does not keep a process alive', async () => {
    const [replica] = (await Replica.all('a')) as [Replica];
    const args = programArgs(new URL('../support/programs/checking.ts', import.meta.url), replica.url);
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 25_000 });
    expect(stdout).toBe('healthy\n');
  });

  it.each<[object, string]>([
    [
      { path: 'healthz' },
      '`path` must be a path that begins with a slash, got "healthz"; write `\'/healthz\'`',
    ],
    [{ path: 5 }, '`path`'],
    [{ expectStatus: 99 }, '`expectStatus`'],
    [
      { expectStatus: [200, 'ok'] },
      '`expectStatus` must be a status from 200 to 599, or a list of such, got "ok"',
    ],
    [
      { method: 'head', expectBody: 'ok' },
      '`expectBody` must be absent, got "ok"; a response to HEAD has no body',
    ],
    [{ expectBody: 5 }, '`expectBody` must be a string or a RegExp, got 5 (number)'],
    [{ timeoutMs: 5 }, 'httpCheck has no option `timeoutMs`'],
  ])('refuses %o', (options, message) => {
    expect(() => httpCheck(options)).toThrow(InvalidOptionError);
    expect(() => httpCheck(options)).toThrow(message);
  });
});
