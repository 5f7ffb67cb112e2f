import type { Store } from '@ashlar/store';
import {
  type CacheOptions,
  cacheAside,
  evictions,
  jsonSerializer,
  type WriteStrategy,
  writeBehind,
  writeThrough,
} from '../../src/index.ts';
import type { Setup } from '../case.ts';
import { type Harm, HarmError } from './harm.ts';
import type { Keys } from './keys.ts';
import type { Source } from './source.ts';
import type { HarmedTier } from './tier.ts';
import type { Time } from './time.ts';
import type { Value } from './values.ts';

/** What the caches of one case have in common. */
export interface Parts {
  readonly setup: Setup;
  readonly keys: Keys;
  readonly time: Time;
  readonly harm: Harm;
  readonly source: Source;
  readonly tier: HarmedTier | undefined;
  readonly store: Store;
  readonly random: () => number;
  /** Called with each batch that is written behind. */
  batch(cache: number, batch: readonly { key: number; sequence: number }[]): () => void;
}

export function tagOf(key: number): string {
  return `tag of ${key}`;
}

/** The options of the cache of that number, whose callbacks may be harmed. */
export function cacheOptions(cache: number, parts: Parts): CacheOptions<unknown, Value> {
  const { setup, keys, time, harm, source, tier, random } = parts;
  const { options, eviction, max, weighs, loadMany, observes } = setup;
  const { ttlMs, ...plain } = options;
  const serializer = harmedSerializer(harm);
  const strategy = strategyOf(cache, parts);
  return {
    ...{ ...plain, name: `cache ${cache}`, max, eviction: evictions[eviction], clock: time.clock, random },
    load: (key, context) => source.load(cache, keys.take(key), context),
    ...(ttlMs !== undefined && { ttlMs: () => harm.sync('ttlMs', Number.NaN, () => ttlMs) }),
    tags: key => harm.sync('tags', 'a string', () => [tagOf(keys.take(key)), 'all']),
    ...(weighs && { weigh: () => harm.sync('weigh', Number.NaN, () => 1) }),
    ...(loadMany && {
      loadMany: async (given, context) => {
        const found = await source.loadMany(
          cache,
          given.map(key => keys.take(key)),
          context,
        );
        return found instanceof Map
          ? Array.from(found, ([key, value]) => [keys.give(key), value] as const)
          : found;
      },
    }),
    ...(keys.needsKeyOf && {
      keyOf: key => harm.sync('keyOf', 7, () => (key as { readonly text: string }).text),
    }),
    ...(observes && { observer: { accessed: () => harm.sync('observer', undefined, () => {}) } }),
    ...(tier && { remote: tier.for(cache) }),
    ...(keys.needsText && { serializer }),
    ...(strategy && { write: strategy }),
  };
}

function strategyOf(
  cache: number,
  { setup, keys, source, store, batch: begin }: Parts,
): WriteStrategy<unknown, Value> | undefined {
  const { write, whenFull } = setup;
  if (write === 'none') return undefined;
  if (write === 'cacheAside' || write === 'writeThrough') {
    const make = write === 'cacheAside' ? cacheAside<unknown, Value> : writeThrough<unknown, Value>;
    return make({ write: (key, value) => source.write(cache, [{ key: keys.take(key), value }]) });
  }
  return writeBehind<unknown, Value>({
    write: async batch => {
      const writes = batch.map(({ key, value, sequence }) => ({ key: keys.take(key), value, sequence }));
      const end = begin(cache, writes);
      try {
        await source.write(cache, writes);
      } finally {
        end();
      }
    },
    ...{
      maxDelayMs: 20,
      maxBatch: 2,
      maxPending: 2,
      whenFull,
      backoffMs: 10,
      maxBackoffMs: 50,
      closeTimeoutMs: 500,
    },
    ...(write === 'journal' && { journal: { store, prefix: 'journal' } }),
  });
}

function harmedSerializer(harm: Harm): NonNullable<CacheOptions<unknown, Value>['serializer']> {
  const json = jsonSerializer<Value>();
  const harmed = <T>(what: 'encode' | 'decode', nonsense: unknown, work: () => T): T => {
    const how = harm.take(what);
    if (how === undefined) return work();
    if (how === 'nonsense') return nonsense as T;
    if (how === 'throws') throw new HarmError(what);
    return (how === 'late' ? Promise.reject(new HarmError(what)) : work()) as T;
  };
  return {
    encode: value => harmed('encode', 'text', () => json.encode(value)),
    decode: bytes => harmed('decode', undefined, () => json.decode(bytes)),
  };
}
