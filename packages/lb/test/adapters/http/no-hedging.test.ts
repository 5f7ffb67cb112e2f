import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { listening } from '../../support/servers/listening.ts';

/** Two endpoints that take far longer than the delay of a hedge, and how many requests they get. */
async function slow() {
  const seen: string[] = [];
  const endpoints = await Promise.all(
    ['a', 'b'].map(async id => {
      const server = createServer((_, response) => {
        seen.push(id);
        setTimeout(() => response.end(id), 100);
      });
      server.on('upgrade', (_, socket) => {
        seen.push(id);
        setTimeout(() => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'), 100);
      });
      return { id, url: (await listening(server)).url };
    }),
  );
  return { endpoints, seen };
}

const balancing = { hedge: { delayMs: 1, max: 2, budgetPercent: 100, budgetPerSecond: 100 } };

it('makes one request where one client waits for the answer: the proxy', async () => {
  const { endpoints, seen } = await slow();
  const { lb, port, url } = await front(endpoints, {}, balancing);
  expect(await (await fetch(url)).text()).toMatch(/^[ab]$/);
  const upgrade = httpRequest({
    port,
    host: '127.0.0.1',
    headers: { connection: 'upgrade', upgrade: 'x' },
  }).end();
  const [response] = await once(upgrade, 'response');
  response.resume();
  expect(response.statusCode).toBe(403);
  expect([seen.length, lb.snapshot().hedges]).toEqual([2, 0]);
});

it('makes one request where one client waits for the answer: the dispatcher', async () => {
  const { endpoints, seen } = await slow();
  const { lb, dispatcher } = dispatching(endpoints, {}, balancing);
  const { body } = await dispatcher.request({ path: '/', method: 'GET' });
  expect(await body.text()).toMatch(/^[ab]$/);
  expect([seen.length, lb.snapshot().hedges]).toEqual([1, 0]);
});
