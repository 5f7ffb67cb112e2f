import { credentials, Metadata, makeGenericClientConstructor, Server, status } from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import { type BalancedChannelOptions, balancedChannel } from '../../../src/adapters/grpc.ts';
import { LoadBalancer } from '../../../src/index.ts';
import { heard } from '../../support/heard.ts';
import { until } from '../../support/until.ts';
import { listening, unary } from './unary.ts';

const end = unary('/test.End/With');
const Client = makeGenericClientConstructor({ With: end }, 'test.End');

type Answer = (error: object | null, value?: Buffer) => void;

/** A client of a server that ends each call with the status that the request names. */
async function client(
  options: { readonly concurrency?: number } = {},
  channelOptions: BalancedChannelOptions = {},
) {
  const server = new Server();
  server.addService(
    { With: end },
    {
      With: ({ request, metadata }: { request: Buffer; metadata: Metadata }, answer: Answer) => {
        const code = Number(String(request));
        const trailers = new Metadata();
        const [pushback] = metadata.get('ask-pushback');
        if (pushback !== undefined) trailers.set('grpc-retry-pushback-ms', pushback);
        if (code === status.OK) answer(null, request);
        else answer({ code, details: 'as asked', metadata: trailers });
      },
    },
  );
  const lb = new LoadBalancer({ endpoints: [{ id: 'a', url: await listening(server) }], ...options });
  const channel = balancedChannel(lb, channelOptions);
  const made = new Client(channel.target, credentials.createInsecure(), channel.options);
  onTestFinished(async () => {
    made.close();
    channel.close();
    await lb.close();
    server.forceShutdown();
  });
  let details = '';
  const call = (code: number, metadata = new Metadata()) =>
    new Promise<number>(resolve => {
      const options = { deadline: Date.now() + 30_000 };
      const done = (error: { code: number; details: string } | null) => {
        details = error?.details ?? '';
        resolve(error?.code ?? status.OK);
      };
      const { path, requestSerialize, responseDeserialize } = end;
      const request = Buffer.from(String(code));
      made.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, done);
    });
  await until(async () => expect(await call(status.OK)).toBe(status.OK));
  return { lb, call, details: () => details };
}

it('tells by the status of a call how its endpoint did', async () => {
  const { call } = await client();
  const { stop } = heard('outcome');
  const names = Object.keys(status).filter(name => Number.isNaN(Number(name)));
  const codeOf = (name: string) => status[name as keyof typeof status];
  for (const name of names) expect(await call(codeOf(name))).toBe(codeOf(name));
  const outcomes = stop() as { outcome?: { ok: boolean; blame?: boolean } }[];
  expect(outcomes).toHaveLength(names.length);
  const saying = (is: (outcome: { ok: boolean; blame?: boolean } | undefined) => boolean) =>
    names.filter((_, index) => is(outcomes[index]?.outcome)).sort();
  expect(saying(outcome => outcome === undefined)).toEqual(['CANCELLED']);
  expect(saying(outcome => outcome?.blame === false)).toEqual(['RESOURCE_EXHAUSTED']);
  expect(saying(outcome => outcome?.ok === false && outcome.blame !== false)).toEqual([
    'DATA_LOSS',
    'DEADLINE_EXCEEDED',
    'INTERNAL',
    'UNAVAILABLE',
    'UNKNOWN',
  ]);
});

it('takes the pushback of a server for how long it asks to be left alone', async () => {
  const { call } = await client();
  const { stop } = heard('outcome');
  for (const pushback of ['7000', '-1', 'x']) {
    const metadata = new Metadata();
    metadata.set('ask-pushback', pushback);
    await call(status.UNAVAILABLE, metadata);
  }
  const outcomes = stop() as { outcome: { retryAfterMs?: number } }[];
  expect(outcomes.map(({ outcome }) => outcome.retryAfterMs)).toEqual([7_000, undefined, undefined]);
});

it('fails a call at once when all endpoints are at their limit', async () => {
  const { lb, call, details } = await client({ concurrency: 1 });
  const held = lb.pick();
  expect(await call(status.OK)).toBe(status.UNAVAILABLE);
  expect(details()).toContain('all are at their limit');
  held.done({ ok: true });
  expect(await call(status.OK)).toBe(status.OK);
});

it('takes the word of `classify` for what a status means', async () => {
  const classify = (code: number) =>
    code === status.NOT_FOUND ? { ok: false } : code === status.INTERNAL ? undefined : { ok: true };
  const { call } = await client({}, { classify: ({ code }) => classify(code) });
  const { stop } = heard('outcome');
  for (const code of [status.NOT_FOUND, status.UNAVAILABLE, status.INTERNAL]) await call(code);
  const outcomes = stop() as { outcome?: { ok: boolean } }[];
  expect(outcomes.map(({ outcome }) => outcome?.ok)).toEqual([false, true, undefined]);
});

it('retries as its `serviceConfig` says', async () => {
  const retryPolicy = {
    ...{ maxAttempts: 3, initialBackoff: '0.001s', maxBackoff: '0.001s', backoffMultiplier: 1 },
    retryableStatusCodes: ['ABORTED'],
  };
  const serviceConfig = { methodConfig: [{ name: [{ service: 'test.End' }], retryPolicy }] };
  const { call } = await client({}, { serviceConfig });
  const { stop } = heard('outcome');
  expect(await call(status.ABORTED)).toBe(status.ABORTED);
  expect(stop()).toHaveLength(3);
});
