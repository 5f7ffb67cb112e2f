import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '@ashlar/core';
import type { Redis } from 'ioredis';
import { Cache, cacheAside, type RemoteTier, type WriteStrategy, writeThrough } from '../../src/index.ts';
import { type Doings, instant, type Read, type Write } from '../history.ts';

/** How a process writes: as the strategy says, or its source itself and then `delete`. */
export type Writing = 'cacheAside' | 'writeThrough' | 'by hand';

export interface CachingOptions {
  readonly name: string;
  readonly writing: Writing;
  readonly tier: RemoteTier;
  readonly source: Redis;
  readonly leaseMs: number;
}

export interface Traffic {
  readonly keys: readonly string[];
  /** The share of operations that write. */
  readonly writes: number;
  readonly seed: number;
}

const loops = 4;
const longestLoadMs = 20;
const longestPauseMs = 6;

/** One process at work on one cache, which notes all that it is told. */
export class Caching {
  readonly #options: CachingOptions;
  readonly #cache: Cache<string, string>;
  readonly #reads: Read[] = [];
  readonly #writes: Write[] = [];
  readonly #errors: string[] = [];
  readonly #connected: Promise<void>;
  #random: Random = Math.random;
  #resting = true;
  #working: Promise<unknown> = Promise.resolve();
  #hits = 0;
  #count = 0;
  #served: ((at: number) => void) | undefined;
  #hold: { readonly key: string; readonly held: () => void; readonly letGo: Promise<void> } | undefined;
  #letGo: () => void = () => {};

  constructor(options: CachingOptions) {
    this.#options = options;
    const { name, tier, leaseMs } = options;
    const write = strategyOf(options);
    subscribe('ashlar:cache-policies:hit', message => {
      const { cache, tier: place } = message as { cache: string; tier: string };
      if (cache === name && place === 'local') this.#hits++;
    });
    this.#connected = new Promise(resolve => {
      subscribe('ashlar:cache-policies:connection', message => {
        const { cache, state } = message as { cache: string; state: string };
        if (cache === name && state === 'connected') resolve();
      });
    });
    const load = (key: string) => this.#load(key);
    const more = { leaseMs, leaseWaitMs: leaseMs, ...(write && { write }) };
    this.#cache = new Cache<string, string>({ name, max: 1_000, remote: tier, load, ...more });
  }

  /** Resolves when it serves from its memory. */
  connected(): Promise<void> {
    return this.#connected;
  }

  begin({ keys, writes, seed }: Traffic): void {
    this.#random = seededRandom(seed);
    this.#resting = false;
    this.#working = Promise.all(
      Array.from({ length: loops }, async () => {
        while (!this.#resting) {
          const key = keys[Math.floor(this.#random() * keys.length)]!;
          if (this.#random() < writes) await this.write(key);
          else await this.read(key);
          await delay(this.#random() * longestPauseMs);
        }
      }),
    );
  }

  async rest(): Promise<void> {
    this.#resting = true;
    await this.#working;
  }

  async read(key: string): Promise<string | undefined> {
    const hits = this.#hits;
    const invokedAt = instant();
    const answer = this.#cache.get(key);
    const isHit = this.#hits > hits;
    try {
      const value = await answer;
      this.#reads.push({ key, invokedAt, value: value ?? null, isHit });
      if (isHit) this.#served?.(invokedAt);
      return value;
    } catch (error) {
      this.#errors.push(`a read was rejected: ${error}`);
      return undefined;
    }
  }

  async write(key: string): Promise<void> {
    const { name, source, writing } = this.#options;
    const value = `${name} ${++this.#count}`;
    try {
      if (writing !== 'by hand') await this.#cache.set(key, value);
      else {
        await source.rpush(key, value);
        await this.#cache.delete(key);
      }
      this.#writes.push({ key, value, resolvedAt: instant() });
    } catch (error) {
      this.#writes.push({ key, value, resolvedAt: null });
      if ((error as { code?: string }).code !== 'ASHLAR_CACHE_POLICIES_WRITE')
        this.#errors.push(`a write: ${error}`);
    }
  }

  /** When the next read was answered from memory. */
  served(): Promise<number> {
    return new Promise(resolve => {
      this.#served = resolve;
    });
  }

  /** Resolves when the next load of the key has asked its source; the load then waits for `letGo`. */
  hold(key: string): Promise<void> {
    const letGo = new Promise<void>(resolve => {
      this.#letGo = resolve;
    });
    return new Promise(held => {
      this.#hold = { key, held, letGo };
    });
  }

  letGo(): void {
    this.#letGo();
  }

  doings(): Doings {
    return { reads: this.#reads, writes: this.#writes, errors: this.#errors };
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  async #load(key: string): Promise<string | undefined> {
    const hold = this.#hold;
    const [value] = await this.#options.source.lrange(key, -1, -1);
    if (hold?.key === key) {
      this.#hold = undefined;
      hold.held();
      await hold.letGo;
    } else await delay(this.#random() * longestLoadMs);
    return value;
  }
}

function strategyOf({ writing, source }: CachingOptions): WriteStrategy<string, string> | undefined {
  const write = async (key: string, value: string | undefined) => void (await source.rpush(key, value!));
  if (writing === 'cacheAside') return cacheAside({ write });
  return writing === 'writeThrough' ? writeThrough({ write }) : undefined;
}
