import { once } from 'node:events';
import { get } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { fetch, request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StallWatch } from '../../../src/adapters/http/limits/stall-watch.ts';
import { LoadBalancer } from '../../../src/index.ts';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { HeldAnswers } from '../../support/servers/held-answers.ts';

const requests = 12;
const timeoutMs = 700;
const stillMs = timeoutMs + 700;
const unblamed = [{ failed: 0 }, { failed: 0 }];

describe('while the event loop stands still, what arrives in time is in time, and nobody is blamed', () => {
  it('in `run`', async () => {
    const server = await HeldAnswers.start();
    await using lb = new LoadBalancer({ endpoints: ['a', 'b'].map(id => ({ id, url: server.url })) });
    const answers = Array.from({ length: requests }, () =>
      lb
        .run(async ({ endpoint, signal }) => (await fetch(endpoint.url, { signal })).text(), { timeoutMs })
        .catch(error => error),
    );
    await server.standStill(requests, stillMs);
    expect(await Promise.all(answers)).toEqual(new Array(requests).fill('ok'));
    expect(lb.snapshot().endpoints).toMatchObject(unblamed);
  });

  it('in the proxy', async () => {
    const server = await HeldAnswers.start();
    const endpoints = ['a', 'b'].map(id => ({ id, url: server.url }));
    const { lb, url } = await front(endpoints, { headersTimeoutMs: timeoutMs, timeoutMs });
    const statuses = server.ask(requests, 'get', url);
    await server.standStill(requests, stillMs);
    expect(await statuses).toEqual(new Array(requests).fill(200));
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: unblamed });
  });

  it('in the handshake of a tunnel', async () => {
    const server = await HeldAnswers.start();
    const endpoints = ['a', 'b'].map(id => ({ id, url: server.url }));
    const { lb, url } = await front(endpoints, { headersTimeoutMs: timeoutMs });
    const statuses = server.ask(requests, 'upgrade', url);
    await server.standStill(requests, stillMs);
    expect(await statuses).toEqual(new Array(requests).fill(101));
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: unblamed });
  });

  it.each([
    ['read first', { 'content-length': '8' }],
    ['streamed', {}],
  ])('in the body of a client that is %s', async (_, headers) => {
    const server = await HeldAnswers.start();
    const {
      lb,
      url,
      server: entry,
    } = await front([{ id: 'a', url: server.url }], { idleTimeoutMs: timeoutMs });
    const statuses = server.ask(1, 'post', url, headers);
    await once(entry, 'request');
    await server.standStill(1, stillMs);
    expect(await statuses).toEqual([200]);
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 0 }]);
  });

  it('in the dispatcher: for the head, for the body, and behind a full pool', async () => {
    const server = await HeldAnswers.start();
    const limits = {
      connections: 1,
      connectTimeoutMs: 1,
      headersTimeoutMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
    };
    const { lb, dispatcher } = dispatching([{ id: 'a', url: server.url }], limits);
    const half = request('http://shop/half', { dispatcher });
    const { body } = await half;
    // Waits for the connection
    const waiting = request('http://shop/', { dispatcher });
    await server.standStill(1, stillMs);
    expect([await body.text(), await (await waiting).body.text()]).toEqual(['okok', 'ok']);
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: [{ failed: 0 }] });
    const again = await HeldAnswers.start();
    const other = dispatching([{ id: 'a', url: again.url }], { headersTimeoutMs: timeoutMs });
    const head = request('http://shop/', { dispatcher: other.dispatcher });
    await again.standStill(1, stillMs);
    expect(await (await head).body.text()).toBe('ok');
  });

  it('in a watch of bytes', async () => {
    const server = await HeldAnswers.start();
    const [response] = await once(get(`${server.url}/half`), 'response');
    let chunks = 0;
    response.on('data', () => void chunks++);
    await once(response, 'data');
    let looks = 0;
    const almostOver = new Promise<void>(resolve => {
      const state = async () => {
        if (++looks === 4) resolve();
        return String(chunks);
      };
      const watch = new StallWatch(timeoutMs, state, () => void chunks--);
      onTestFinished(() => watch.end());
      watch.start();
    });
    await almostOver;
    // The next look is set
    await setImmediate();
    await server.standStill(1, stillMs * 2);
    await once(response, 'end');
    expect(chunks).toBe(2);
  });
});
