import { redisStore } from '@ashlar/store/redis';
import { endWithParent } from '@workspace/program';
import { Redis } from 'ioredis';
import { gate, inChunks, Precompute } from '../../src/index.ts';
import { both, type Pair, pairs } from './data.ts';
import type { JobSaid, JobTold } from './gate.ts';

/** Builds from Redis how many have viewed two products, a pair at a time, and publishes it there. */
endWithParent();
const url = JSON.parse(process.argv[2]!) as string;
const redis = new Redis(url);
const store = redisStore({ redis: new Redis(url), timeoutMs: 5_000 });
const say = (message: JobSaid) => void process.send!(message);
let p99Ms: number | undefined;

async function build({ maxP99Ms, deadlineMs }: JobTold & { what: 'begin' }): Promise<void> {
  const p99 = maxP99Ms === undefined ? undefined : { read: () => p99Ms, maxMs: maxP99Ms };
  const gated =
    p99 === undefined
      ? {}
      : { deadlineMs, gate: gate({ p99, eventLoop: false, pressure: false, everyMs: 100 }) };
  const parts = [...pairs, ...pairs];
  await using related = new Precompute<string, number>({
    name: 'viewed together',
    schedule: '0 0 1 1 *',
    store,
    ...gated,
    source: inChunks({
      chunks: () => parts,
      total: parts.length,
      load: async (pair: Pair) => [[pair.join(' '), await both(redis, pair)] as const],
    }),
  });
  const startedAt = performance.now();
  const { status } = await related.refresh();
  say({ what: 'done', tookMs: performance.now() - startedAt, status });
}

process.on('message', (told: JobTold) => {
  if (told.what === 'p99') p99Ms = told.ms;
  else void build(told);
});
await store.get('connected');
say({ what: 'ready' });
