import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '@ashlar/core';
import type { Round } from '@workspace/faults';
import { within } from '@workspace/services';
import type { RedisInvalidation } from '../src/adapters/redis.ts';
import { type Finding, Tally } from './fault.ts';
import { hitShare, instant, Judge, type Order } from './history.ts';
import type { Mutant } from './peers/mutants.ts';
import type { CachePeer } from './peers/peer.ts';
import { type SampledTier, Sampler } from './sampler.ts';
import type { Site } from './site.ts';

const keyCount = 8;
const usualPatienceMs = 20_000;

export interface RunSettings {
  /** The share of operations that write, all the time. */
  readonly writes: number;
  /** How the tier tells of changes. */
  readonly invalidation: RedisInvalidation;
  readonly mutant?: Mutant | undefined;
  /** Whatever is waited for for longer counts as a broken promise. */
  readonly patienceMs?: number | undefined;
}

/** From when until when the fault lasted. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

let runs = 0;

/** Caches at work on keys of their own, from their opening to the judgment of what they did. */
export class Run {
  readonly site: Site;
  readonly random: Random;
  readonly patienceMs: number;
  /** The first of them is left out of the traffic. */
  readonly keys: readonly string[];
  /** Who is hurt, where one is. */
  readonly victim: CachePeer;
  readonly others: readonly CachePeer[];
  readonly #sampler: Sampler;
  readonly tally: Tally = new Tally();

  private constructor(site: Site, random: Random, patienceMs: number, tier: SampledTier) {
    this.site = site;
    this.random = random;
    this.patienceMs = patienceMs;
    this.keys = Array.from({ length: keyCount }, (_, i) => `${tier.prefix}${i}`);
    this.victim = site.peers[Math.floor(random() * site.peers.length)]!;
    this.others = site.peers.filter(peer => peer !== this.victim);
    this.#sampler = new Sampler(site.tier.port, tier, this.keys);
  }

  /** Resolves when all serve from their memory, and have been at work for a while. */
  static async begin(site: Site, { random }: Round, settings: RunSettings): Promise<Run> {
    const { writes, invalidation, mutant, patienceMs = usualPatienceMs } = settings;
    const prefix = `run ${++runs} `;
    const run = new Run(site, random, patienceMs, { prefix, invalidation });
    await Promise.all(run.keys.map(key => site.source.rpush(key, 'first')));
    const { boundMs, timeoutMs } = site;
    const opening = { prefix, invalidation, boundMs, timeoutMs, leaseMs: boundMs, mutant };
    await Promise.all(site.peers.map(peer => peer.ask('open', opening)));
    for (const peer of site.peers) {
      const seed = Math.floor(random() * 2 ** 31);
      await peer.ask('begin', { keys: run.keys.slice(1), writes, seed });
    }
    await run.wait(0.5 + random());
    return run;
  }

  /** So many times the bound. */
  wait(bounds: number): Promise<void> {
    return delay(this.site.boundMs * bounds);
  }

  /** Lets all recover and settle, then compares what they were told with what their source had. */
  async end({ from, until }: Span, mayReject: boolean): Promise<Finding> {
    const { tally, site } = this;
    const served = await this.#patiently('served from memory', () =>
      Promise.all(site.peers.map(peer => peer.ask('served'))),
    );
    await this.wait(1.5);
    await Promise.all(site.peers.map(peer => peer.ask('rest')));
    await this.#settle();
    const samples = await this.#sampler.end();
    const doings = await Promise.all(site.peers.map(peer => peer.ask('close')));

    const writes = doings.flatMap(each => each.writes);
    const reads = doings.flatMap(each => each.reads);
    const judge = new Judge(await this.#order(), writes);
    const stalenessMs = judge.reads(reads, site.boundMs, tally);
    judge.samples(samples, tally);
    tally.operations += writes.length;
    tally.remarks.push(...doings.flatMap(({ errors }) => errors));
    const rejected = writes.filter(({ resolvedAt }) => resolvedAt === null).length;
    tally.expect(mayReject || rejected === 0, `${rejected} writes were rejected`);
    const share = hitShare(reads, from, until);
    return tally.finding({
      stalenessMs,
      ...(share !== undefined && { hitShare: share }),
      ...(served && { recoveryMs: Math.max(...served) - until }),
      rejected,
      quietest: Math.min(...doings.map(each => each.reads.length + each.writes.length)),
    });
  }

  /** What was written last is what everybody reads, also where a write was rejected after its source took it. */
  async #settle(): Promise<void> {
    const { tally, site, patienceMs } = this;
    const isSettled = await within(patienceMs, async () => {
      const order = await this.#order();
      const last = this.keys.map(key => order.get(key)!.at(-1));
      const found = await Promise.all(site.peers.map(peer => peer.ask('read', this.keys)));
      return found.every(values => values.every((value, i) => value === last[i])) || undefined;
    });
    tally.expect(isSettled === true, `not everybody reads what was written last after ${patienceMs} ms`);
  }

  async #order(): Promise<Order> {
    const lists = this.keys.map(async key => [key, await this.site.source.lrange(key, 0, -1)] as const);
    return new Map(await Promise.all(lists));
  }

  async #patiently<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    const { patienceMs } = this;
    const ending = new AbortController();
    const late = delay(patienceMs, undefined, ending).catch(() => undefined);
    const result = await Promise.race([work(), late]);
    ending.abort();
    this.tally.expect(result !== undefined, `not everybody ${what} again within ${patienceMs} ms`);
    return result;
  }
}

/** How long the work took. */
export async function spanOf(work: () => Promise<void>): Promise<Span> {
  const from = instant();
  await work();
  return { from, until: instant() };
}
