import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { dispatching } from '../../support/dispatching.ts';
import { front } from '../../support/front.ts';
import { ask } from '../../support/raw.ts';
import { scripted } from '../../support/scripted.ts';

const faultless = { retries: 0, endpoints: [{ failed: 0 }] };

describe('a response without a body that has a Content-Length', () => {
  it.each([
    ['GET', 304],
    ['HEAD', 304],
    ['HEAD', 200],
    ['GET', 204],
  ])('is complete: %s %i', async (method, status) => {
    const endpoint = await scripted(`HTTP/1.1 ${status} Fine\r\nETag: "1"\r\nContent-Length: 1234\r\n\r\n`);
    const { port, lb } = await front([endpoint]);
    const { dispatcher, lb: other } = dispatching([endpoint]);
    for (let times = 0; times < 6; times++) {
      const answer = await ask(port, `${method} / HTTP/1.1\r\nHost: shop`);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} Fine\r\netag: "1"\r\n`, 'i'));
      expect(/content-length: 1234/i.test(answer)).toBe(status !== 204);
      expect(answer.endsWith('\r\n\r\n')).toBe(true);
      const { statusCode, body } = await request('http://shop/', { dispatcher, method: method as 'GET' });
      expect([statusCode, await body.text()]).toEqual([status, '']);
    }
    expect(lb.snapshot()).toMatchObject(faultless);
    expect(other.snapshot()).toMatchObject(faultless);
  });
});
