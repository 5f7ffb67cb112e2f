import { backgroundClock, type Clock, describe, InvalidOptionError, systemClock } from '@ashlar/core';
import { Events } from './events.ts';
import { type CacheOptions, readSettings, type Settings } from './options.ts';
import { type Flight, Flights } from './reads/flight.ts';
import { Freshness } from './reads/freshness.ts';
import type { Entry } from './tiers/entry.ts';
import { LocalTier } from './tiers/local-tier.ts';
import { RemoteLink } from './tiers/remote-link.ts';
import type { ResetReason, TierListener } from './tiers/remote-tier.ts';
import { checkTierKey, isWellFormed } from './tiers/tier-rules.ts';
import { WriteQueue } from './writes/write-queue.ts';

/** All that the reads and writes of one cache share, and the invalidations that concern all of it. */
export class CacheState<K, V> implements Pick<TierListener, 'invalidated' | 'reset'> {
  readonly settings: Settings<K, V>;
  /** What the tiers call a key: the key itself in one process, a string with a shared tier or a journal. */
  readonly idOf: (key: K) => unknown;
  readonly clock: Clock;
  /** The same, but its sleepers keep the process alive: for pending reads. */
  readonly callerClock: Clock;
  readonly events: Events<K>;
  readonly freshness: Freshness<K, V>;
  /** L1. */
  readonly local: LocalTier<K, V>;
  readonly flights: Flights<K, V> = new Flights<K, V>();
  /** Aborts when `close` begins: nothing waits for a start or a load any more. */
  readonly closing: AbortController = new AbortController();
  /** Aborts when `close` gives up what has not settled within `closeTimeoutMs`. */
  readonly ending: AbortController = new AbortController();
  readonly writes: WriteQueue = new WriteQueue(this.ending.signal);
  /** L2. */
  readonly remote: RemoteLink<V> | undefined;

  /** @throws InvalidOptionError */
  constructor(options: CacheOptions<K, V>) {
    const settings = readSettings(options);
    const { name, clock, remote: tier, serializer, onDisconnect, whenAway, observer, random } = settings;
    this.settings = settings;
    this.idOf = idOfKeys(settings.keyOf, tier !== undefined || settings.write?.needsText === true);
    this.clock = clock ?? backgroundClock;
    this.callerClock = clock ?? systemClock;
    const events = new Events<K>(name, observer);
    this.events = events;
    this.freshness = new Freshness(settings);
    this.local = new LocalTier(settings, events);
    const { serveMs } = onDisconnect;
    const owes = whenAway === 'owe';
    const own = { listener: this, events, clock: this.clock };
    this.remote = tier && new RemoteLink<V>({ tier, serializer, serveMs, owes, random, ...own });
  }

  /** Keeps the result of a flight in this process, unless the key was changed since the flight began. */
  keep(flight: Flight<K, V>, entry: Entry<K, V>): void {
    if (this.flights.isCurrent(flight)) this.local.put(flight.id, entry);
  }

  /** As `keep`, for a call that is answered already: what `weigh` or the observer throws is published. */
  tryKeep(flight: Flight<K, V>, entry: Entry<K, V>): void {
    try {
      this.keep(flight, entry);
    } catch (error) {
      this.events.tierFailed('keep', error);
    }
  }

  /** Another cache changed these. */
  invalidated({ keys, tags }: { readonly keys: readonly string[]; readonly tags: readonly string[] }): void {
    this.events.counters.invalidations += keys.length + tags.length;
    for (const key of keys) {
      this.writes.fence(key);
      this.flights.fence(key);
      this.local.delete(key);
    }
    if (tags.length > 0) this.dropTags(tags);
  }

  /** Anything may have changed. */
  reset(reason: ResetReason): void {
    this.dropAll();
    this.events.reset(reason);
  }

  /** Invalidates every local value with one of the tags. */
  dropTags(tags: readonly string[]): void {
    for (const tag of tags) this.local.invalidateTag(tag);
  }

  /** Invalidates every local value. */
  dropAll(): void {
    this.writes.fenceAll();
    this.flights.fenceAll();
    this.local.clear();
  }
}

function idOfKeys<K>(keyOf: ((key: K) => string) | undefined, needsText: boolean): (key: K) => unknown {
  if (keyOf !== undefined) {
    return key => {
      const id: unknown = keyOf(key);
      if (typeof id === 'string' && (!needsText || isWellFormed(id))) return id;
      const expected = typeof id === 'string' ? 'well-formed strings' : 'strings';
      throw new InvalidOptionError('keyOf', `\`keyOf\` must return ${expected}, got ${describe(id)}`);
    };
  }
  if (!needsText) return key => key;
  const kinds = new KindOfNumerals();
  return key => {
    if (typeof key === 'string') {
      if (startsLikeNumeral(key)) kinds.take(key);
      return checkTierKey(key);
    }
    if (typeof key === 'number' || typeof key === 'bigint') return kinds.take(key);
    throw new InvalidOptionError('keyOf', `\`keyOf\` is needed to make a string of the key ${describe(key)}`);
  };
}

type Numeral = string | number | bigint;

/** Of 1, 1n and '1', which have one text, a cache takes one kind: else a key would get the value of another. */
class KindOfNumerals {
  #first: Numeral | undefined;

  /** The text of the key. @throws InvalidOptionError for another kind than the first */
  take(key: Numeral): string {
    const text = String(key);
    if (typeof key === typeof this.#first) return text;
    if (typeof key === 'string' && !isNumeral(text)) return text;
    this.#first ??= key;
    if (typeof key === typeof this.#first) return text;
    const both = `${describe(this.#first)} and ${describe(key)}`;
    throw new InvalidOptionError('keyOf', `\`keyOf\` is needed to tell keys like ${both} apart`);
  }
}

/** A digit, a minus, or the first letter of NaN or Infinity: most keys have none of them. */
function startsLikeNumeral(key: string): boolean {
  const code = key.charCodeAt(0);
  return (code >= 48 && code <= 57) || code === 45 || code === 78 || code === 73;
}

function isNumeral(text: string): boolean {
  return /^-?[1-9]\d*$/.test(text) || String(Number(text)) === text;
}
