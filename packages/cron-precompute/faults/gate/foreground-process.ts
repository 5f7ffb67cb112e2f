import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '@ashlar/core';
import { endWithParent } from '@workspace/program';
import { Redis } from 'ioredis';
import { both, pairs } from './data.ts';
import { type Block, type ForegroundSaid, p99 } from './gate.ts';

/** Serves requests that come at random, whether or not those before are answered. Each asks Redis once. */
endWithParent();
const redis = new Redis(JSON.parse(process.argv[2]!) as string);
const say = (message: ForegroundSaid) => void process.send!(message);
const tellMs = 100;
const windowMs = 1_000;

async function serve({ seed, gapMs, busyMs, quietMs }: Block): Promise<readonly number[]> {
  const random = seededRandom(seed);
  const startedAt = performance.now();
  const inBusy: number[] = [];
  const answers: { readonly atMs: number; readonly tookMs: number }[] = [];
  const answering: Promise<void>[] = [];
  const request = async (dueMs: number) => {
    await both(redis, pairs[Math.floor(random() * pairs.length)]!);
    const atMs = performance.now() - startedAt;
    answers.push({ atMs, tookMs: atMs - dueMs });
    if (dueMs < busyMs) inBusy.push(atMs - dueMs);
  };
  const tell = () => {
    const sinceMs = performance.now() - startedAt - windowMs;
    const first = answers.findIndex(({ atMs }) => atMs > sinceMs);
    answers.splice(0, first < 0 ? answers.length : first);
    say({ what: 'p99', ms: answers.length === 0 ? undefined : p99(answers.map(({ tookMs }) => tookMs)) });
  };
  const telling = setInterval(tell, tellMs);
  for (let dueMs = 0; ; ) {
    dueMs += -Math.log(1 - random()) * (dueMs < busyMs ? gapMs : 10 * gapMs);
    if (dueMs >= busyMs + quietMs) break;
    const waitMs = startedAt + dueMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    answering.push(request(dueMs));
  }
  await Promise.all(answering);
  clearInterval(telling);
  return inBusy;
}

for (let i = 0; i < 2; i++) for (const pair of pairs) await both(redis, pair); // Compiled before it counts
say({ what: 'ready' });
for (;;) {
  const [block] = (await once(process, 'message')) as [Block];
  say({ what: 'over', tookMs: await serve(block) });
}
