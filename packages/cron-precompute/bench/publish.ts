import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Bench, figures } from '@workspace/bench';
import { Redis } from 'ioredis';
import { keyOf, product, products } from './data.ts';
import { type RedisPlace, redisPlace } from './places.ts';
import type { Loaded, LoadSettings } from './reader-process.ts';

const entries = 1_000_000;

/** In a process of its own, so that nothing else is in its memory. */
async function loaded(settings: LoadSettings): Promise<Loaded> {
  const program = fileURLToPath(new URL('./reader-process.ts', import.meta.url));
  const child = fork(program, [JSON.stringify(settings)], { execArgv: ['--expose-gc', '--import', 'tsx'] });
  const [answer] = (await once(child, 'message')) as [Loaded];
  child.kill();
  return answer;
}

let published: Promise<RedisPlace> | undefined;
let publishMs = 0;

/** A version of a million keys, published once for all that measure it. Ends with the process. */
function version(): Promise<RedisPlace> {
  published ??= (async () => {
    const place = await redisPlace();
    const startedAt = performance.now();
    await using best = products(place.store, entries);
    const { status } = await best.refresh();
    if (status !== 'succeeded') throw new Error(`the run has ${status}`);
    publishMs = performance.now() - startedAt;
    return place;
  })();
  return published;
}

const both = new Map<string, Promise<Loaded>>();
const kinds = ['shared', 'plain'] as const;

async function loads(): Promise<readonly [Loaded, Loaded]> {
  const { url } = await version();
  for (const snapshot of kinds) {
    if (!both.has(snapshot)) both.set(snapshot, loaded({ url, entries, snapshot }));
    await both.get(snapshot); // One after the other
  }
  return [await both.get('shared')!, await both.get('plain')!];
}

function ofLoads(name: string, unit: string, value: (loaded: Loaded) => number): Bench {
  return figures(name, unit, async () => {
    const [shared, plain] = await loads();
    return { ours: ['shared', value(shared)], peers: { plain: value(plain) } };
  });
}

const publishing = figures('publish a million keys on Redis, and load them', 's', async () => {
  const { url } = await version();
  const redis = new Redis(url);
  const startedAt = performance.now();
  for (let at = 0; at < entries; at += 1_000) {
    const pairs = Array.from({ length: 1_000 }, (_, i) => [keyOf(at + i), JSON.stringify(product(at + i))]);
    await redis.mset(pairs.flat());
  }
  const peerMs = performance.now() - startedAt;
  redis.disconnect();
  return { ours: ['refresh', publishMs / 1_000], peers: { 'ioredis, MSET of 1 000 each': peerMs / 1_000 } };
});

export const publishBenches: readonly Bench[] = [
  publishing,
  ofLoads('load a million keys from Redis', 's', ({ loadMs }) => loadMs / 1_000),
  ofLoads('longest pause of the event loop while loading', 'ms', ({ pauseMs }) => pauseMs),
  ofLoads('longest pause of the event loop while swapping', 'ms', ({ swapPauseMs }) => swapPauseMs),
  ofLoads('longest turn of the event loop while swapping, of its processor', 'ms', each => each.swapBusyMs),
  ofLoads('memory of a loaded version', 'MB', ({ bytes }) => bytes / 1e6),
  ofLoads('memory at most while swapping', 'MB', ({ swapBytes }) => swapBytes / 1e6),
];
