import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { listening } from '../../support/servers/listening.ts';

const limits = { headersTimeoutMs: 300, requestBufferBytes: 64 * 2 ** 20 };
const body = Buffer.alloc(12 * 2 ** 20);
const pieces = Array.from({ length: 12 }, () => body.subarray(0, 2 ** 20));

/** Answers with the size of the body; in between it reads on only now and then, but steadily. */
async function slowReader(): Promise<{ id: string; url: string }> {
  const server = createServer((asked, response) => {
    let bytes = 0;
    const timer = setInterval(() => void asked.resume(), 8);
    onTestFinished(() => clearInterval(timer));
    asked
      .on('data', chunk => {
        bytes += chunk.length;
        asked.pause();
      })
      .on('end', () => {
        clearInterval(timer);
        response.end(String(bytes));
      });
  });
  return { id: 'a', ...(await listening(server)) };
}

/** A body of which the second half comes late. */
async function* halting(pauseMs: number): AsyncGenerator<string> {
  yield 'half';
  await new Promise(resolve => setTimeout(resolve, pauseMs));
  yield 'half';
}

const cases: [string, () => Buffer | Readable, number][] = [
  ['an endpoint that reads slowly a body in one piece', () => body, body.length],
  ['one that reads slowly a body in many', () => Readable.from(pieces), body.length],
  ['one that waits for the rest of the body', () => Readable.from(halting(2 * limits.headersTimeoutMs)), 8],
];

describe('the time for the head of the response begins when the endpoint has taken the request', () => {
  it.each(cases)('in the dispatcher, for %s', async (_, made, length) => {
    const { lb, dispatcher } = dispatching([await slowReader()], limits);
    const answer = await request('http://shop/', { dispatcher, method: 'PUT', body: made() });
    expect(await answer.body.text()).toBe(String(length));
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: [{ failed: 0 }] });
  });

  it.each(cases)('in the proxy, for %s', async (_, made, length) => {
    const { lb, url } = await front([await slowReader()], limits);
    const answer = await request(url, { method: 'PUT', body: made() });
    expect(await answer.body.text()).toBe(String(length));
    expect(lb.snapshot()).toMatchObject({ retries: 0, endpoints: [{ failed: 0 }] });
  });

  it('and ends for an endpoint that takes nothing', async () => {
    const endpoint = { id: 'a', ...(await listening(createServer(() => {}))) };
    const { lb, dispatcher } = dispatching([endpoint], limits);
    const asking = request('http://shop/', { dispatcher, method: 'POST', body });
    await expect(asking).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' });
    expect(lb.snapshot().endpoints).toMatchObject([{ failed: 1 }]);
    const { url } = await front([endpoint], limits);
    expect((await fetch(url, { method: 'POST', body })).status).toBe(504);
  });
});
