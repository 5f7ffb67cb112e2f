import * as undici from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EndpointWithUrl } from '../../../src/index.ts';
import { Feed } from '../../support/discovery/feed.ts';
import { front } from '../../support/front.ts';
import { Replica } from '../../support/servers/replica.ts';
import { until } from '../../support/until.ts';

const requests = 6_000;
const concurrency = 40;

const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;

describe('under load', () => {
  it('a replica that is killed and one that joins cost no client an error, and everything is accounted for', async () => {
    const replicas = await Replica.all('a', 'b', 'c', 'd');
    const feed = new Feed<EndpointWithUrl>();
    const timersBefore = timers();
    const { url, lb, proxy, connections } = await front(feed, { headersTimeoutMs: 10_000 });
    await feed.give(replicas);
    const client = new undici.Pool(url, { connections: concurrency });
    onTestFinished(() => client.destroy());
    const answered = new Map<string, number>();
    let sent = 0;
    const worker = async () => {
      while (sent < requests) {
        const number = sent++;
        if (number === 2_000) void replicas[1]!.kill();
        if (number === 4_000) void Replica.start('e').then(e => feed.give([...replicas, e]));
        const path = number % 10 === 0 ? '/chunks/20000' : `/bytes/${number % 3_000}`;
        const { statusCode, headers, body } = await client.request({ path, method: 'GET' });
        const text = await body.text();
        const id = String(headers['x-replica']);
        expect(statusCode).toBe(200);
        expect(text).toBe(id.repeat(number % 10 === 0 ? 20_000 : number % 3_000));
        answered.set(id, (answered.get(id) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));

    const { endpoints, inFlight, retries, retriesRefused } = lb.snapshot();
    const sum = (what: 'picked' | 'succeeded' | 'failed' | 'canceled' | 'inFlight') =>
      endpoints.reduce((total, endpoint) => total + endpoint[what], 0);
    expect([...answered.values()].reduce((a, b) => a + b)).toBe(requests);
    expect(Object.fromEntries(answered)).toEqual(
      Object.fromEntries(endpoints.map(({ id, succeeded }) => [id, succeeded])),
    );
    expect([sum('succeeded'), sum('canceled'), inFlight, sum('inFlight')]).toEqual([requests, 0, 0, 0]);
    expect([sum('failed'), retriesRefused]).toEqual([retries, 0]);
    expect(sum('picked')).toBe(requests + retries);
    expect(endpoints.find(({ id }) => id === 'b')).toMatchObject({ state: 'ejected', failed: retries });
    expect(retries).toBeGreaterThan(0);

    await client.close();
    await until(() => expect(connections()).toBe(0));
    await proxy.close();
    await until(async () => expect(await replicas[0]!.mode('ok')).toBe(0));
    await until(() => expect(timers()).toBeLessThan(timersBefore + 5));
  });
});
