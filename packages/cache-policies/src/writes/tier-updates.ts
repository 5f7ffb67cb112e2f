import { channels } from '../diagnostics.ts';
import { outcomeOf, WriteError } from '../errors.ts';
import type { Counters } from '../events.ts';
import type { Flights } from '../reads/flight.ts';
import type { Freshness } from '../reads/freshness.ts';
import type { ReadSettings } from '../settings.ts';
import type { LocalTier } from '../tiers/local-tier.ts';
import type { RemoteLink } from '../tiers/remote-link.ts';
import type { ResetReason } from '../tiers/remote-tier.ts';
import { type Turn, Turns } from './write-queue.ts';
import type { Write } from './write-strategy.ts';

export interface PlacerParts<K, V> {
  readonly settings: ReadSettings<K, V>;
  readonly local: LocalTier<K, V>;
  readonly flights: Flights<V>;
  readonly freshness: Freshness<K, V>;
  readonly link: RemoteLink<V> | undefined;
  readonly counters: Counters;
}

/** Brings writes into the tiers, so that no load that began before can put an old value back. */
export class Placer<K, V> {
  readonly turns: Turns = new Turns();
  readonly #settings: ReadSettings<K, V>;
  readonly #local: LocalTier<K, V>;
  readonly #flights: Flights<V>;
  readonly #freshness: Freshness<K, V>;
  readonly #link: RemoteLink<V> | undefined;

  readonly #counters: Counters;

  constructor({ settings, local, flights, freshness, link, counters }: PlacerParts<K, V>) {
    this.#settings = settings;
    this.#local = local;
    this.#flights = flights;
    this.#freshness = freshness;
    this.#link = link;
    this.#counters = counters;
  }

  /** The value goes into all tiers, or is deleted from them. @throws WriteError */
  place(write: Write<K, V>): Promise<void> {
    return this.turns.take(write.id, async turn => {
      const link = this.#link;
      const placed = this.#placement(write, this.#moment());
      const id = write.id as string;
      try {
        if (link !== undefined) await (placed === undefined ? link.invalidate([id]) : link.write(id, placed));
      } catch (error) {
        this.#settle(turn, write, undefined);
        throw new WriteError(this.#settings.name, write.key, outcomeOf(error), error);
      }
      this.#settle(turn, write, placed);
    });
  }

  /**
   * Announces the write, makes it, and keeps the value if `keep` says so and nobody else wrote the key meanwhile.
   * @throws WriteError
   */
  around(write: Write<K, V>, keep: boolean, source: () => Promise<void>): Promise<void> {
    return this.turns.take(write.id, async turn => {
      const { id, key } = write;
      const moment = this.#moment();
      const lease = this.#link && (await this.#announce(this.#link, id));
      let failure: { readonly error: unknown } | undefined;
      try {
        await source();
      } catch (error) {
        failure = { error };
      }
      const placed = keep && failure === undefined ? this.#placement(write, moment) : undefined;
      const { isKept, untold } = await this.#conclude(id, lease, placed);
      this.#settle(turn, write, isKept ? placed : undefined);
      const { name } = this.#settings;
      if (failure !== undefined) {
        const { writeFailed } = channels;
        const { error } = failure;
        if (writeFailed.hasSubscribers) {
          writeFailed.publish({ cache: name, keys: [key], attempt: 1, kept: false, error });
        }
        throw new WriteError(name, key, outcomeOf(error), error);
      }
      if (untold !== undefined) throw new WriteError(name, key, 'Executed', untold.error);
    });
  }

  /** What failed to be told is tried again by the link. */
  async changed(ids: readonly unknown[]): Promise<void> {
    await this.#link?.invalidate(ids as readonly string[]).catch(() => {});
  }

  /** @throws WriteError when the shared tier cannot be told */
  async invalidateTags(tags: readonly string[]): Promise<void> {
    await this.#everywhere(
      `tags ${tags.join(', ')}`,
      () => this.#dropTags(tags),
      link => link.invalidateTags(tags),
    );
  }

  /** @throws WriteError when the shared tier cannot be told */
  async clear(): Promise<void> {
    await this.#everywhere(
      'everything',
      () => this.#dropAll(),
      link => link.clear(),
    );
  }

  /** Others changed these. */
  invalidated({ keys, tags }: { readonly keys: readonly string[]; readonly tags: readonly string[] }): void {
    this.#counters.invalidations += keys.length + tags.length;
    for (const key of keys) {
      this.turns.fence(key);
      this.#flights.fence(key);
      this.#local.delete(key);
    }
    if (tags.length > 0) this.#dropTags(tags);
  }

  /** Anything may have changed. */
  reset(reason: ResetReason): void {
    this.#counters.resets++;
    this.#dropAll();
    const { reset } = channels;
    if (reset.hasSubscribers) reset.publish({ cache: this.#settings.name, reason });
  }

  /** Resolves when the writes that were begun have settled. */
  settled(): Promise<void> {
    return this.turns.settled();
  }

  /** Before and after: what was read from the shared tier meanwhile may be from before it was told. */
  async #everywhere(
    what: string,
    drop: () => void,
    tell: (link: RemoteLink<V>) => Promise<void>,
  ): Promise<void> {
    drop();
    if (this.#link === undefined) return;
    try {
      await tell(this.#link);
    } catch (error) {
      throw new WriteError(this.#settings.name, what, outcomeOf(error), error);
    } finally {
      drop();
    }
  }

  #dropTags(tags: readonly string[]): void {
    for (const tag of tags) this.#local.invalidateTag(tag);
    this.#flights.changed(this.#local.changes);
  }

  #dropAll(): void {
    this.turns.fenceAll();
    this.#flights.fenceAll();
    this.#local.clear();
  }

  /** A failure is not the end: the source may be written all the same, and the tier is told of it afterwards. */
  #announce(link: RemoteLink<V>, id: unknown): Promise<string | undefined> {
    return link.announce(id as string, this.#settings.leaseMs).catch(() => undefined);
  }

  /** Ends an announcement: nobody but this write may have stored the key since. */
  async #conclude(
    id: unknown,
    lease: string | undefined,
    placed: Placement<V> | undefined,
  ): Promise<{ isKept: boolean; untold?: { readonly error: unknown } }> {
    const link = this.#link;
    if (link === undefined) return { isKept: placed !== undefined };
    const key = id as string;
    if (lease !== undefined) {
      if (placed === undefined && (await link.release(key, lease))) return { isKept: false };
      if (placed !== undefined && (await link.fill(key, lease, placed))) return { isKept: true };
    }
    try {
      await link.invalidate([key]);
      return { isKept: false };
    } catch (error) {
      return { isKept: false, untold: { error } };
    }
  }

  /** What is invalidated after it concerns the write too. */
  #moment(): Moment {
    return { at: this.#settings.clock.now(), stamp: this.#local.changes };
  }

  #placement({ key, value, terms }: Write<K, V>, moment: Moment): Placement<V> | undefined {
    if (value === undefined) return undefined;
    const freshMs = this.#freshness.freshMs(key, value, terms);
    const keepMs = freshMs + this.#freshness.keepStaleMs;
    if (keepMs <= 0) return undefined;
    return { value, freshMs, keepMs, costMs: 0, tags: this.#freshness.tags(key, value, terms), ...moment };
  }

  /** In one step: what was loading may not be stored any more, and the value is there, or not. */
  #settle(turn: Turn, { id, key }: Write<K, V>, placed: Placement<V> | undefined): void {
    this.#flights.fence(id);
    if (placed === undefined || turn.isFenced) {
      this.#local.delete(id);
      return;
    }
    const { value, freshMs, costMs, tags, at, stamp } = placed;
    const freshUntil = this.#settings.clock.now() + Math.min(freshMs, this.#settings.localTtlMs);
    this.#local.put(id, { key, value, at, freshUntil, costMs, stamp, tags, retryAt: 0, isFollowed: true });
  }
}

interface Moment {
  readonly at: number;
  readonly stamp: number;
}

interface Placement<V> extends Moment {
  readonly value: V;
  readonly freshMs: number;
  readonly keepMs: number;
  readonly costMs: number;
  readonly tags: readonly string[];
}
