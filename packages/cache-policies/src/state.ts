import { describe, InvalidOptionError } from '@ashlar/core';
import type { AccessObserver } from './advisor/access-observer.ts';
import { channels } from './diagnostics.ts';
import { Counters } from './events.ts';
import type { CacheOptions } from './options.ts';
import { wTinyLfu } from './policies/w-tiny-lfu/w-tiny-lfu.ts';
import { Shelf } from './reads/fallback.ts';
import { Loader } from './reads/fetcher.ts';
import { Flights } from './reads/flight.ts';
import { Freshness } from './reads/freshness.ts';
import { Reader } from './reads/reader.ts';
import { type ReadSettings, readSettings, serveSetting } from './settings.ts';
import { LocalTier } from './tiers/local-tier.ts';
import { RemoteLink } from './tiers/remote-link.ts';
import { jsonSerializer } from './tiers/serializer.ts';
import { Placer } from './writes/tier-updates.ts';
import type { Writer } from './writes/write-strategy.ts';

/** What a cache is made of. */
export interface CacheParts<K, V> {
  readonly settings: ReadSettings<K, V>;
  readonly max: number;
  readonly idOf: (key: K) => unknown;
  readonly local: LocalTier<K, V>;
  readonly flights: Flights<V>;
  readonly reader: Reader<K, V>;
  readonly tiers: Placer<K, V>;
  readonly link: RemoteLink<V> | undefined;
  readonly writer: Writer<K, V> | undefined;
  readonly observer: AccessObserver<K> | undefined;
  readonly counters: Counters;
}

/** @throws InvalidOptionError */
export function assemble<K, V>(options: CacheOptions<K, V>): CacheParts<K, V> {
  const settings = readSettings(options);
  const { max, eviction = wTinyLfu, weigh, load, loadMany, observer, remote, write } = options;
  const serveMs = serveSetting(options.onDisconnect);
  const { name, clock } = settings;
  const counters = new Counters();
  const local = new LocalTier<K, V>({
    max,
    eviction,
    weigh,
    onEvict: key => {
      counters.evictions++;
      observer?.evicted?.(key);
      if (channels.evict.hasSubscribers) channels.evict.publish({ cache: name, key });
    },
    follows: (id, key) => observer?.follows?.(id, key) ?? true,
  });
  const flights = new Flights<V>();
  const freshness = new Freshness(settings);
  const serializer = options.serializer ?? jsonSerializer<V>();
  const idOf = idOfKeys(options.keyOf, remote !== undefined || write?.needsText === true);
  const listener = {
    invalidated: (change: { readonly keys: readonly string[]; readonly tags: readonly string[] }) =>
      placer.invalidated(change),
    reset: (reason: Parameters<typeof placer.reset>[0]) => placer.reset(reason),
  };
  const link =
    remote && new RemoteLink<V>({ cache: name, tier: remote, serializer, listener, serveMs, clock });
  const placer: Placer<K, V> = new Placer({ settings, local, flights, freshness, link, counters });
  const shelf = new Shelf({ settings, local, flights, freshness, counters });
  const loader = new Loader({ settings, idOf, flights, freshness, shelf, link });
  const source = load === undefined && loadMany === undefined ? undefined : { load, loadMany };
  const reader = new Reader<K, V>({
    ...{ settings, idOf, source, local, flights, freshness, shelf, loader, link, observer, counters },
  });
  const writer = write?.open({
    ...{ name, random: settings.random, clock: options.clock, serializer },
    place: one => placer.place(one),
    around: (one, keep, change) => placer.around(one, keep, change),
    changed: ids => placer.changed(ids),
  });
  reader.writer = writer;
  return { settings, max, idOf, local, flights, reader, tiers: placer, link, writer, observer, counters };
}

/** What the tiers call a key: itself in one process, a string where it goes further. */
function idOfKeys<K>(keyOf: ((key: K) => string) | undefined, needsText: boolean): (key: K) => unknown {
  if (keyOf !== undefined) {
    return key => {
      const id: unknown = keyOf(key);
      if (typeof id === 'string') return id;
      throw new InvalidOptionError('keyOf', `\`keyOf\` must return strings, got ${describe(id)}`);
    };
  }
  if (!needsText) return key => key;
  return key => {
    if (typeof key === 'string') return key;
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    throw new InvalidOptionError('keyOf', `\`keyOf\` is needed to make a string of the key ${describe(key)}`);
  };
}
