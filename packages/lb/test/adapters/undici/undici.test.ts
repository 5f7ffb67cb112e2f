import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline as pipe } from 'node:stream/promises';
import {
  Agent,
  type getGlobalDispatcher,
  interceptors,
  pipeline,
  request,
  stream,
  fetch as undiciFetch,
} from 'undici';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { type BalancedDispatcher, balancedDispatcher } from '../../../src/adapters/undici.ts';
import { consistent, type EndpointWithUrl, LoadBalancer } from '../../../src/index.ts';
import { aAndB, dispatching } from '../../support/dispatching.ts';
import { Replica } from '../../support/servers/replica.ts';
import { until } from '../../support/until.ts';

const url = 'http://shop/page?x=1';

/** What the replicas answer. */
interface Seen {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly bytes: number;
  readonly headers: Record<string, string>;
}

/** Node's own brings an older undici, and its types another name for a dispatcher. */
const nodeFetch = (to: string, init: object): Promise<Response> => fetch(to, init);

describe('a balanced dispatcher', () => {
  it.each([
    ['undici', undiciFetch as unknown as typeof nodeFetch],
    ['Node', nodeFetch],
  ])('serves fetch of %s, one endpoint after the other', async (_, fetching) => {
    const { dispatcher, lb } = await aAndB();
    const seen: Seen[] = [];
    for (let i = 0; i < 4; i++) seen.push((await (await fetching(url, { dispatcher })).json()) as Seen);
    expect(seen.map(({ id }) => id)).toEqual(['a', 'b', 'a', 'b']);
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/page?x=1', headers: { host: 'shop' } });
    const posted = await fetching(url, { dispatcher, method: 'POST', body: 'x'.repeat(100_000) });
    expect(await posted.json()).toMatchObject({ id: 'a', method: 'POST', bytes: 100_000 });
    const sent = await fetching(url, { dispatcher, method: 'POST', body: new Blob(['four']) });
    expect(await sent.json()).toMatchObject({ bytes: 4 });
    expect(lb.snapshot()).toMatchObject({ inFlight: 0, endpoints: [{ succeeded: 3 }, { succeeded: 3 }] });
  });

  it('serves request, stream and pipeline', async () => {
    const { dispatcher } = await aAndB();
    const asked = await request(url, { dispatcher, method: 'PUT', body: Readable.from(['one', 'two']) });
    expect(asked.statusCode).toBe(200);
    expect(asked.headers['x-replica']).toBe('a');
    expect(await asked.body.json()).toMatchObject({ id: 'a', bytes: 6 });

    const chunks: Buffer[] = [];
    await stream(`${new URL(url).origin}/bytes/100000`, { dispatcher, method: 'GET' }, ({ statusCode }) => {
      expect(statusCode).toBe(200);
      return new Writable({ write: (chunk, _, next) => next(void chunks.push(chunk)) });
    });
    expect(Buffer.concat(chunks).toString()).toBe('b'.repeat(100_000));

    const through = pipeline(url, { dispatcher, method: 'POST' }, ({ body }) => body);
    const answer = text(through);
    await pipe(Readable.from(['some', 'thing']), through);
    expect(JSON.parse(await answer)).toMatchObject({ id: 'a', bytes: 9 });
    expect(await (await dispatcher.request({ path: '/x', method: 'GET' })).body.json()).toMatchObject({
      id: 'b',
      url: '/x',
    });
  });

  it('streams in both directions without keeping all in memory', async () => {
    const { dispatcher } = await aAndB();
    let produced = 0;
    const source = Readable.from(
      (async function* () {
        for (; produced < 400; produced++) yield Buffer.alloc(65_536);
      })(),
    );
    const { body } = await request(url, { dispatcher, method: 'POST', body: source });
    expect(await body.json()).toMatchObject({ bytes: 400 * 65_536 });
    const { body: long } = await request('http://shop/bytes/50000000', { dispatcher });
    let received = 0;
    for await (const chunk of long) received += (chunk as Buffer).length;
    expect(received).toBe(50_000_000);
  });

  it('hands on informational responses', async () => {
    const { dispatcher } = await aAndB();
    const infos: number[] = [];
    const onInfo = ({ statusCode }: { statusCode: number }) => void infos.push(statusCode);
    const { body } = await request('http://shop/hints', { dispatcher, onInfo });
    expect([await body.text(), infos]).toEqual(['after hints', [103]]);
  });

  it('works below interceptors', async () => {
    const { dispatcher, a } = await aAndB();
    const { redirect, retry, dump, responseError } = interceptors;
    const composed = dispatcher.compose(retry(), redirect({ maxRedirections: 2 }), dump());
    expect((await request(url, { dispatcher: composed })).headers['x-replica']).toBe('a');
    const strict = dispatcher.compose(responseError());
    await a.mode('broken');
    await expect(
      request('http://shop/', { dispatcher: dispatcher.compose(responseError()), method: 'POST' }),
    ).resolves.toMatchObject({ statusCode: 200 });
    await expect(request('http://shop/', { dispatcher: strict, method: 'POST' })).rejects.toMatchObject({
      statusCode: 500,
    });
  });

  it('sends the path below that of the endpoint, and the host that it is told to', async () => {
    const [a] = (await Replica.all('a')) as [Replica];
    const { dispatcher } = dispatching([{ id: 'a', url: `${a.url}/base/` }], { host: 'endpoint' });
    const own = await request(url, { dispatcher });
    expect(await own.body.json()).toMatchObject({
      url: '/base/page?x=1',
      headers: { host: new URL(a.url).host },
    });
    const given = { 'X-A': '1', Host: 'mine' };
    for (const headers of [given, new Map(Object.entries(given)), Object.entries(given).flat()]) {
      const { body } = await request(url, { dispatcher: dispatching([a]).dispatcher, headers });
      expect(await body.json()).toMatchObject({ headers: { host: 'mine', 'x-a': '1' } });
    }
    for (const headers of [{ 'x-a': '1' }, new Map([['x-a', '1']]), ['x-a', '1'], null]) {
      const { body } = await request(url, { dispatcher: dispatching([a]).dispatcher, headers });
      expect(await body.json()).toMatchObject({ headers: { host: 'shop' } });
    }
  });

  it('gives equal keys to one endpoint', async () => {
    const replicas = await Replica.all('a', 'b', 'c');
    const { dispatcher } = dispatching(replicas, { key: ({ path }) => path }, { policy: consistent() });
    const owners = new Map<string, unknown>();
    for (let i = 0; i < 20; i++) {
      const path = `/user/${i % 5}`;
      const { headers, body } = await request(`http://shop${path}`, { dispatcher });
      await body.dump();
      expect(owners.get(path) ?? headers['x-replica']).toBe(headers['x-replica']);
      owners.set(path, headers['x-replica']);
    }
    expect(new Set(owners.values()).size).toBeGreaterThan(1);
  });

  it('leaves other origins alone when it is told its own', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    const agent = new Agent();
    onTestFinished(() => agent.close());
    const origin = 'http://shop';
    const { dispatcher } = dispatching([a], { origin, otherwise: agent });
    expect((await request(url, { dispatcher })).headers['x-replica']).toBe('a');
    expect((await request(`${b.url}/`, { dispatcher })).headers['x-replica']).toBe('b');
    const alone = dispatching([a], { origin }).dispatcher;
    await expect(request(b.url, { dispatcher: alone })).rejects.toMatchObject({
      code: 'ASHLAR_LB_UNFORWARDABLE',
      message: `the endpoints serve http://shop, not ${b.url}`,
    });
  });

  it('keeps a pool for each endpoint there is, and none for those that have left', async () => {
    const [a, b] = (await Replica.all('a', 'b')) as [Replica, Replica];
    let change: (endpoints: readonly EndpointWithUrl[]) => void = () => {};
    async function* discovery(): AsyncGenerator<readonly EndpointWithUrl[]> {
      yield [a, b];
      yield await new Promise<readonly EndpointWithUrl[]>(resolve => {
        change = resolve;
      });
    }
    const { dispatcher, lb } = dispatching(discovery());
    const events: string[] = [];
    dispatcher.on('connect', ({ origin }) => void events.push(`connect ${origin}`));
    dispatcher.on('disconnect', ({ origin }) => void events.push(`disconnect ${origin}`));
    for (let i = 0; i < 4; i++) await (await request(url, { dispatcher })).body.dump();
    expect(events).toEqual([`connect ${a.url}`, `connect ${b.url}`]);
    change([b]);
    await until(async () => expect(await a.mode('ok')).toBe(0));
    await until(() => expect(events[2]).toBe(`disconnect ${a.url}`));
    expect(lb.endpoints).toHaveLength(1);
    expect(await b.mode('ok')).toBe(1);
  });

  it('is typed as a dispatcher', () => {
    const lb = new LoadBalancer({ endpoints: [{ id: 'a', url: 'http://127.0.0.1:1' }] });
    const dispatcher = balancedDispatcher(lb);
    expectTypeOf(dispatcher).toExtend<ReturnType<typeof getGlobalDispatcher>>();
    expectTypeOf(dispatcher).toEqualTypeOf<BalancedDispatcher<{ id: string; url: string }>>();
    // @ts-expect-error no such option
    expect(() => balancedDispatcher(lb, { pipelining: 1 })).toThrow('has no option `pipelining`');
  });
});
