import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisInvalidation, redisTier } from '../src/adapters/redis.ts';
import { instant, type Read } from './history.ts';

const pauseMs = 5;

export interface SampledTier {
  readonly prefix: string;
  readonly invalidation: RedisInvalidation;
}

/** Looks again and again at what the shared tier itself has, past all caches. */
export class Sampler {
  readonly #ending = new AbortController();
  readonly #samples: Read[] = [];
  readonly #working: Promise<void>;

  constructor(port: number, tier: SampledTier, keys: readonly string[]) {
    this.#working = this.#work(port, tier, keys);
  }

  async end(): Promise<readonly Read[]> {
    this.#ending.abort();
    await this.#working;
    return this.#samples;
  }

  async #work(port: number, tier: SampledTier, keys: readonly string[]): Promise<void> {
    const redis = new Redis({ port, lazyConnect: true });
    const session = redisTier({ redis, ...tier }).open({ invalidated() {}, reset() {}, connection() {} });
    while (!this.#ending.signal.aborted) {
      const invokedAt = instant();
      const reads = await session.read(keys).catch(() => []); // the server is away
      for (const [i, { entry }] of reads.entries()) {
        const bytes = entry?.value;
        const value = bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as string);
        this.#samples.push({ key: keys[i]!, invokedAt, value, isHit: false });
      }
      await delay(pauseMs);
    }
    await session.close();
  }
}
