import { Peer } from '@workspace/faults';
import { startRedis } from '@workspace/services';
import { Redis } from 'ioredis';
import { type Fault, type Finding, Tally } from '../fault.ts';
import { fill, requestMs } from './data.ts';

/** A time in which users come, first many, then few. */
export interface Block {
  readonly seed: number;
  /** Between two requests of the busy time, in milliseconds on average. */
  readonly gapMs: number;
  readonly busyMs: number;
  readonly quietMs: number;
}
/** What the processes are told, and what they say. */
export type ForegroundSaid =
  | { readonly what: 'ready' }
  | { readonly what: 'p99'; readonly ms: number | undefined }
  /** What requests of the busy time took, in milliseconds. */
  | { readonly what: 'over'; readonly tookMs: readonly number[] };
export type JobTold =
  | { readonly what: 'begin'; readonly maxP99Ms: number | undefined; readonly deadlineMs: number }
  | { readonly what: 'p99'; readonly ms: number | undefined };
export type JobSaid =
  | { readonly what: 'ready' }
  | { readonly what: 'done'; readonly tookMs: number; readonly status: string };

export interface GateSettings {
  /** Each kind of block so often, interleaved, so that a machine that is busy with something else is so for all. */
  readonly blocks: number;
  readonly busyMs: number;
  readonly quietMs: number;
}

/** Of the time of the server, in the busy time. */
const utilization = 0.6;
/** What has begun is finished, and published. */
const graceMs = 500;

/**
 * A foreground that serves users from Redis, and a job in another process that builds a data set from the same Redis and publishes it
 * there: alone, beside a job behind a gate, beside one without. The gate knows the foreground's p99.
 */
export function gateOf(settings: GateSettings): Fault {
  const latestMs = settings.busyMs + settings.quietMs + graceMs;
  return {
    name: 'gate',
    about: `a job and a foreground at ${100 * utilization} % of the Redis that both use: behind a gate, the foreground's p99 stays within 1.2 times that without a job, and the job ends within ${latestMs} ms`,
    within: { gatedP99: 120, jobMs: latestMs },
    usualRuns: 1,
    async begin() {
      const server = await startRedis();
      const redis = new Redis(server.url);
      await fill(redis);
      return {
        run: ({ random }) => runOf(settings, server.url, redis, random),
        async [Symbol.asyncDispose]() {
          redis.disconnect();
          await server.stop();
        },
      };
    },
  };
}

async function runOf(
  { blocks, ...phase }: GateSettings,
  url: string,
  redis: Redis,
  random: () => number,
): Promise<Finding> {
  const deadlineMs = phase.busyMs + phase.quietMs;
  const foreground = new Peer<ForegroundSaid>(new URL('./foreground-process.ts', import.meta.url), url);
  const job = new Peer<JobSaid>(new URL('./job-process.ts', import.meta.url), url);
  try {
    await Promise.all([foreground.next(), job.next()]);
    const gapMs = (await requestMs(redis)) / utilization;
    const tally = new Tally();
    const found = { alone: [] as number[], gated: [] as number[], ungated: [] as number[] };
    const jobMs: number[] = [];
    for (let index = 0; index < blocks; index++) {
      const block: Block = { seed: Math.floor(random() * 2 ** 31), gapMs, ...phase };
      const served = async (kind: keyof typeof found, maxP99Ms?: number) => {
        const begin: JobTold | undefined =
          kind === 'alone' ? undefined : { what: 'begin', maxP99Ms, deadlineMs };
        const { tookMs, done } = await servedIn(foreground, job, block, begin);
        found[kind].push(p99(tookMs));
        tally.operations += tookMs.length;
        if (done === undefined) return;
        tally.expect(done.status === 'succeeded', `the job has ${done.status}`);
        if (kind === 'gated') jobMs.push(done.tookMs);
      };
      await served('alone');
      const gated = () => served('gated', median(found.alone) * 1.15);
      if (index % 2 === 0) await gated();
      await served('ungated');
      if (index % 2 === 1) await gated();
    }
    const alone = median(found.alone);
    return tally.finding({
      aloneP99: alone,
      gatedP99: (100 * median(found.gated)) / alone,
      ungatedP99: (100 * median(found.ungated)) / alone,
      jobMs: Math.max(...jobMs),
    });
  } finally {
    await Promise.all([job.end(), foreground.end()]);
  }
}

async function servedIn(
  foreground: Peer<ForegroundSaid>,
  job: Peer<JobSaid>,
  block: Block,
  begin: JobTold | undefined,
): Promise<{ tookMs: readonly number[]; done?: JobSaid & { what: 'done' } }> {
  foreground.process.send(block);
  if (begin !== undefined) job.process.send(begin);
  for (;;) {
    const said = await foreground.next();
    if (said.what === 'p99') job.process.send(said satisfies JobTold);
    if (said.what !== 'over') continue;
    const done = begin && (await job.next());
    return done?.what === 'done' ? { tookMs: said.tookMs, done } : { tookMs: said.tookMs };
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

export function p99(tookMs: readonly number[]): number {
  return tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length * 0.99)]!;
}
