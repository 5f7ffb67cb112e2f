import { LoadBalancer } from '@ashlar/lb';
import { balancedDispatcher } from '@ashlar/lb/undici';
import { type BodyInit, fetch } from 'undici';
import { backendUrls } from '../../proxy/programs/listen.ts';
import { makeMixed, type Share } from '../mix.ts';
import { obey } from '../sample.ts';

type Ask = () => Promise<unknown>;

const endpoints = backendUrls.map((url, i) => ({ id: `backend-${i}`, url }));
const lb = new LoadBalancer({ endpoints, outlier: false });
const dispatcher = balancedDispatcher(lb, { headersTimeoutMs: 500, idleTimeoutMs: 500 });

const get = (path: string, signal?: AbortSignal) =>
  fetch(`http://service${path}`, { dispatcher, ...(signal && { signal }) });
const put = (body: BodyInit) =>
  fetch('http://service/ok', { dispatcher, method: 'PUT', body, duplex: 'half' });

async function* chunks(length: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < length; i++) yield Buffer.alloc(1_024, 'x');
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('begun');
  throw new Error('the body ends half-way');
}

/** Gives up when the request has been sent, or is about to be. */
async function givenUp(path: string): Promise<unknown> {
  const caller = new AbortController();
  const asked = get(path, caller.signal).then(response => response.text());
  setImmediate(() => caller.abort());
  return asked;
}

const mix: readonly Share<Ask>[] = [
  [80, 'GET', async () => (await get('/ok')).text()],
  [5, 'PUT', async () => (await put('x'.repeat(4_096))).text()],
  [5, 'PUT of a stream that is kept', async () => (await put(chunks(4))).text()],
  [1, 'PUT of a stream that is too long to be kept', async () => (await put(chunks(100))).text()],
  [1, 'a body that fails half-way', () => put(broken())],
  [1, 'the response breaks off half-way', async () => (await get('/truncated')).text()],
  [1, 'the connection is reset', () => get('/reset')],
  [1, 'too long a head', () => get('/long-head')],
  [1, 'the response is left half-way', async () => (await get('/large')).body!.cancel()],
  [2, 'given up at once', () => givenUp('/ok')],
  [2, 'given up in silence', () => givenUp('/silent')],
];
/** A few that must be waited for, at the end of each part. */
const slow = ['/silent', '/stalls'];

obey(lb, async order => {
  await makeMixed(mix, order, ask => ask().catch(() => {}));
  const stalled = slow.flatMap(path => Array.from({ length: 20 }, async () => (await get(path)).text()));
  await Promise.allSettled(stalled);
});
process.send!(0);
