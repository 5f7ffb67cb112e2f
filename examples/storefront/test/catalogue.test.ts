import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { lru } from '@ashlar/cache-policies';
import { seededRandom } from '@ashlar/core';
import { afterEach, describe, expect, it } from 'vitest';
import { type Catalogue, catalogue } from '../src/catalogue/catalogue.ts';
import { type Database, simulatedDatabase } from '../src/catalogue/database.ts';
import { PageViews, type ViewCounts } from '../src/catalogue/page-views.ts';
import { productCache } from '../src/catalogue/product-cache.ts';
import { shardedDatabase } from '../src/catalogue/sharded-database.ts';
import { productKey, productPath } from '../src/product-path.ts';

const database = simulatedDatabase({ loadMs: 0, random: seededRandom(1), sleep: async () => {} });
let server: Server;
let cache: ReturnType<typeof productCache>;
let views: PageViews;
let warm: Catalogue['warm'];
afterEach(async () => {
  await new Promise(resolve => server.close(resolve));
  await cache.close();
  await views[Symbol.asyncDispose]();
});

async function shop(max: number, from: Database = database, isTierAway = false): Promise<string> {
  cache = productCache({ replica: 'replica-1', max, eviction: lru, remote: undefined });
  views = await PageViews.open();
  const options = { replica: 'replica-1', cache, database: from, views, isTierAway: () => isTierAway };
  const made = catalogue(options);
  warm = made.warm;
  server = createServer(made.handler);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the catalogue', () => {
  it('says hit or miss, forgets the product used longest ago, and counts', async () => {
    const url = await shop(2);
    const answers: (string | null)[] = [];
    for (const key of ['a', 'b', 'a', 'c', 'b', 'a']) {
      const response = await fetch(url + productPath(key));
      expect(response.status).toBe(200);
      expect(response.headers.get('x-replica')).toBe('replica-1');
      expect(await response.text()).toContain(`no. ${key}</h1>`);
      answers.push(response.headers.get('x-cache'));
    }
    expect(answers).toEqual(['miss', 'miss', 'hit', 'miss', 'miss', 'miss']);
    const stats = await (await fetch(`${url}/stats`)).json();
    expect(stats).toEqual({ replica: 'replica-1', hits: 1, misses: 5, tierHits: 0, cached: 2 });
  });

  it('records every view through the queue, the most viewed first', async () => {
    const url = await shop(2);
    for (const key of ['a', 'b', 'a', 'c', 'a']) await fetch(url + productPath(key));
    await fetch(`${url}/stats`);
    const counted = async () => (await fetch(`${url}/views`)).json() as Promise<ViewCounts>;
    await expect.poll(async () => (await counted()).recorded).toBe(5);
    const { dropped, top } = await counted();
    expect({ dropped, first: top[0] }).toEqual({ dropped: 0, first: ['a', 3] });
  });

  it('answers although views cannot be published, and counts those', async () => {
    const url = await shop(2);
    await views[Symbol.asyncDispose]();
    expect((await fetch(url + productPath('a'))).status).toBe(200);
    expect(await (await fetch(`${url}/views`)).json()).toEqual({ recorded: 0, dropped: 1, top: [] });
  });

  it('is warmed without the database, and counts nothing of that', async () => {
    const closed: Database = { load: () => Promise.reject(new Error('closed')) };
    const url = await shop(2, closed);
    await warm(['a', 'b', 'a', 'c']);
    const stats = await (await fetch(`${url}/stats`)).json();
    expect(stats).toEqual({ replica: 'replica-1', hits: 0, misses: 0, tierHits: 0, cached: 2 });
    const answers = await Promise.all(['a', 'b', 'c'].map(key => fetch(url + productPath(key))));
    expect(answers.map(({ status }) => status)).toEqual([200, 500, 200]);
    expect(answers.map(({ headers }) => headers.get('x-cache'))).toEqual(['hit', null, 'hit']);
  });

  it('loads a product once for all who wait for it, also when it is pushed out meanwhile', async () => {
    const loads = new Map<string, () => void>();
    let loaded = 0;
    const slow: Database = {
      load: key =>
        new Promise(resolve => {
          loaded++;
          loads.set(key, () => resolve({ key, name: 'Lamp', cents: 100 }));
        }),
    };
    const url = await shop(1, slow);
    let received = 0;
    server.on('request', () => received++);
    const waiting: Promise<Response>[] = [];
    for (const key of ['a', 'a', 'b', 'c']) {
      waiting.push(fetch(url + productPath(key)));
      await expect.poll(() => received).toBe(waiting.length);
    }
    for (const finish of loads.values()) finish();
    const responses = await Promise.all(waiting);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(responses.map(({ headers }) => headers.get('x-cache'))).toEqual(['miss', 'hit', 'miss', 'miss']);
    expect(loaded).toBe(3);
  });

  it('escapes what it shows, and refuses what it has not', async () => {
    const url = await shop(2);
    const page = await (await fetch(url + productPath('<script>alert("&")</script>'))).text();
    expect(page).not.toContain('<script>');
    expect(await (await fetch(url)).text()).toContain('/product/1');
    expect((await fetch(`${url}/product/`)).status).toBe(404);
    expect((await fetch(`${url}/product/%E0%A4%A`)).status).toBe(404);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(url + productPath('a'), { method: 'POST' })).status).toBe(405);
    const head = await new Promise<number | undefined>((resolve, reject) => {
      const sent = httpRequest(url + productPath('a'), { method: 'HEAD' }, response =>
        resolve(response.statusCode),
      );
      sent.on('error', reject).end();
    });
    expect(head).toBe(200);
  });

  it('says when it answers without the tier that there should be', async () => {
    const url = await shop(2, database, true);
    expect((await fetch(url + productPath('a'))).headers.get('x-tier')).toBe('away');
    expect((await fetch(url)).headers.get('x-tier')).toBe(null);
  });

  it('answers 500 when the database fails, and recovers', async () => {
    let broken = true;
    const url = await shop(2, {
      load: async key => {
        if (broken) throw new Error('no connection');
        return { key, name: 'Lamp', cents: 100 };
      },
    });
    expect((await fetch(url + productPath('a'))).status).toBe(500);
    broken = false;
    expect((await fetch(url + productPath('a'))).headers.get('x-cache')).toBe('miss');
  });
});

describe('the simulated database', () => {
  it('takes half to one and a half times its average, and knows a product by its key', async () => {
    const slept: number[] = [];
    const sleep = async (ms: number) => void slept.push(ms);
    const slow = simulatedDatabase({ loadMs: 10, random: seededRandom(1), sleep });
    const loaded = await Promise.all(Array.from({ length: 200 }, () => slow.load('42')));
    expect(Math.min(...slept)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...slept)).toBeLessThan(15);
    expect(slept.reduce((sum, ms) => sum + ms, 0) / 200).toBeCloseTo(10, 0);
    expect(new Set(loaded.map(product => JSON.stringify(product))).size).toBe(1);
  });
});

describe('the database on shards', () => {
  it('has the same products, each on one of its shards', async () => {
    const slept: number[] = [];
    const sleep = async (ms: number) => void slept.push(ms);
    await using sharded = await shardedDatabase(4, { loadMs: 10, random: seededRandom(1), sleep });
    const keys = Array.from({ length: 100 }, (_, n) => `product ${n}`);
    const expected = await Promise.all(keys.map(key => database.load(key)));
    for (let times = 0; times < 2; times++) {
      expect(await Promise.all(keys.map(key => sharded.load(key)))).toEqual(expected);
    }
    const counts = Object.values(await sharded.counts());
    expect(counts).toHaveLength(4);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
    expect(Math.min(...counts)).toBeGreaterThan(10);
    expect(slept).toHaveLength(200);
  });

  it('takes a product once that is asked for twice at a time', async () => {
    const sleep = async () => {};
    await using sharded = await shardedDatabase(2, { loadMs: 0, random: seededRandom(1), sleep });
    const [one, other] = await Promise.all([sharded.load('42'), sharded.load('42')]);
    expect(one).toEqual(other);
    expect(await sharded.load('a\0b')).toEqual(await database.load('a\0b'));
    expect(Object.values(await sharded.counts()).sort()).toEqual([0, 1]);
  });
});

describe('productPath', () => {
  it.each(['42', '/shoes/a b?c#d', '100%', 'ä€🙂', '...', '<b>'])('brings back %s', key => {
    expect(productKey(new URL(productPath(key), 'http://x').pathname)).toBe(key);
    expect(productKey(productPath(key))).toBe(key);
  });
});
