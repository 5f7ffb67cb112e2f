import type { ValueId } from '../world/values.ts';

/** One write of a key, by whomever. Times are numbers of events. */
export interface Version {
  readonly key: number;
  readonly id: ValueId;
  readonly cache: number;
  /** It took effect no sooner. */
  start: number;
  /** It took effect no later; without end while that may be still to come. */
  end: number;
  /** In milliseconds, when it was last stored somewhere to be fresh from then on. */
  storedAt: number;
  /** The source has refused it. */
  isRefused?: true;
}

/** From when on nothing older than a version may be read. */
interface Floor {
  readonly version: Version;
  /** By whom: one cache, or everyone. */
  readonly reader: number | 'all';
  readonly tick: number;
  readonly ms: number;
  /** An answer that there is nothing has no tags, and so is not touched by them. */
  readonly byTag: boolean;
}

export interface ReadBegin {
  readonly tick: number;
  readonly ms: number;
}

/** The model: what was written in which order, as far as that is known, and what each reader may still be told. */
export class History {
  readonly #versions: Version[] = [];
  #floors: Floor[] = [];
  #tick = 0;

  constructor(keys: number) {
    for (let key = 0; key < keys; key++) {
      this.#versions.push({
        key,
        id: undefined,
        cache: -1,
        start: 0,
        end: 0,
        storedAt: Number.NEGATIVE_INFINITY,
      });
    }
  }

  /** The number of this event. */
  tick(): number {
    return ++this.#tick;
  }

  /** A write begins. @param isSeen whether it may be read from now on, or only once it is `applied` */
  begin(key: number, id: ValueId, cache: number, isSeen: boolean): Version {
    const now = this.tick();
    const [end, storedAt] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const version = { key, id, cache, start: isSeen ? now : Number.POSITIVE_INFINITY, end, storedAt };
    this.#versions.push(version);
    return version;
  }

  /** The source takes the write: of those of this value that wait for that, the one that was begun first. */
  applied(key: number, id: ValueId, cache: number): void {
    const version = this.#waiting(key, id, cache);
    if (version === undefined) return;
    version.start = this.tick();
    version.end = version.start;
  }

  /** The source refuses the write that waits for it, of those of this value the one that was begun first. */
  refused(key: number, id: ValueId, cache: number): void {
    const version = this.#waiting(key, id, cache);
    if (version !== undefined) version.isRefused = true;
  }

  isApplied({ start }: Version): boolean {
    return start !== Number.POSITIVE_INFINITY;
  }

  /** It was not made, and never will be. */
  drop(version: Version): void {
    this.#versions.splice(this.#versions.indexOf(version), 1);
  }

  /** From now on nobody, or not that cache, may read anything older. */
  settle(version: Version, reader: number | 'all', ms: number, byTag = false): void {
    this.#floors.push({ version, reader, tick: this.tick(), ms, byTag });
  }

  /** What was settled for this cache alone, is now so for everyone. */
  promote(cache: number, before: number, ms: number): void {
    for (const { version, reader, tick, byTag } of this.#floors.slice()) {
      if (reader === cache && tick <= before) this.settle(version, 'all', ms, byTag);
    }
  }

  /** Forgets what was settled for this cache alone, as for a process that ended before it had told the others. */
  forgive(cache: number): void {
    this.#floors = this.#floors.filter(({ reader }) => reader !== cache);
  }

  /** Forgets all that was settled for the key. */
  forgiveKey(key: number): void {
    this.#floors = this.#floors.filter(({ version }) => version.key !== key);
  }

  /** A value was stored where it is fresh from now on. */
  stored(key: number, id: ValueId, ms: number): void {
    for (const version of this.#of(key, id)) {
      if (version.storedAt !== Number.POSITIVE_INFINITY) version.storedAt = Math.max(version.storedAt, ms);
    }
  }

  /** What is wrong with this answer. @param graceMs for how long other caches' changes may go unnoticed */
  wrong(
    { key, cache, id }: { readonly key: number; readonly cache: number; readonly id: ValueId },
    begin: ReadBegin,
    { graceMs, sparesNothing }: { readonly graceMs: number | undefined; readonly sparesNothing: boolean },
  ): string | undefined {
    const versions = this.#of(key, id);
    if (versions.length === 0) return 'nobody ever wrote it for this key';
    const latest = Math.max(...versions.map(({ end }) => end));
    for (const { version, reader, tick, ms, byTag } of this.#floors) {
      if (version.key !== key || tick > begin.tick || latest >= version.start) continue;
      if (reader !== 'all' && reader !== cache) continue;
      if (reader === 'all' && version.cache !== cache && graceMs !== undefined && begin.ms <= ms + graceMs)
        continue;
      if (byTag && id === undefined && sparesNothing) continue;
      return `it is older than ${version.id ?? 'the delete'}, which had resolved ${begin.ms - ms} ms before the call`;
    }
    return undefined;
  }

  /** The latest time, in milliseconds, from which that value can count as fresh. */
  storedAt(key: number, id: ValueId): number {
    return Math.max(...this.#of(key, id).map(({ storedAt }) => storedAt));
  }

  #waiting(key: number, id: ValueId, cache: number): Version | undefined {
    return this.#versions.find(
      one =>
        one.key === key && one.id === id && one.cache === cache && !this.isApplied(one) && !one.isRefused,
    );
  }

  #of(key: number, id: ValueId): readonly Version[] {
    return this.#versions.filter(
      version => version.key === key && version.id === id && this.isApplied(version),
    );
  }
}
