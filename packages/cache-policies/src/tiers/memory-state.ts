import type { Clock } from '@ashlar/core';
import type { Fill, ReadOptions, TierEntry, TierRead } from './remote-tier.ts';
import { TagLog } from './tag-log.ts';

interface Kept {
  readonly entry: TierEntry;
  readonly freshUntil: number;
  readonly keptUntil: number;
  /** The number of changes when it was read from its source. */
  readonly stamp: number;
}

interface Held {
  readonly lease: string;
  readonly until: number;
  readonly stamp: number;
}

/** The values, leases and tags of a memory tier. Each change takes the next number. */
export class MemoryState {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #kept = new Map<string, Kept>();
  readonly #held = new Map<string, Held>();
  readonly #tags: TagLog;
  #sequence = 0;

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
    this.#tags = new TagLog(max);
  }

  get size(): number {
    return this.#kept.size;
  }

  get leases(): number {
    return this.#held.size;
  }

  /** The number of changes so far. */
  get sequence(): number {
    return this.#sequence;
  }

  read(key: string, { leaseMs, minFreshMs = 0 }: ReadOptions = {}): TierRead {
    const entry = this.#entry(key);
    if (leaseMs === undefined || (entry !== undefined && entry.freshMs > minFreshMs)) {
      return entry === undefined ? {} : { entry };
    }
    const now = this.#clock.now();
    const held = this.#lease(key);
    const right = held === undefined ? { lease: this.#grant(key, leaseMs) } : { busyMs: held.until - now };
    return entry === undefined ? right : { entry, ...right };
  }

  fill({ key, lease, entry }: Fill): boolean {
    const held = this.#lease(key);
    if (held?.lease !== lease) return false;
    this.#held.delete(key);
    if (!this.#tags.unchanged(entry.tags, held.stamp)) return false;
    this.#keep(key, entry, held.stamp);
    return true;
  }

  write(entries: ReadonlyMap<string, TierEntry>): void {
    this.#sequence++;
    for (const [key, entry] of entries) {
      this.#held.delete(key);
      this.#keep(key, entry, this.#sequence);
    }
  }

  invalidate(keys: readonly string[]): void {
    this.#sequence++;
    for (const key of keys) {
      this.#kept.delete(key);
      this.#held.delete(key);
    }
  }

  announce(keys: readonly string[], leaseMs: number): readonly string[] {
    this.invalidate(keys);
    return keys.map(key => this.#grant(key, leaseMs));
  }

  release(key: string, lease: string): boolean {
    return this.#lease(key)?.lease === lease && this.#held.delete(key);
  }

  invalidateTags(tags: readonly string[]): void {
    this.#sequence++;
    for (const tag of tags) this.#tags.invalidate(tag, this.#sequence);
  }

  clear(): void {
    this.#sequence++;
    this.#kept.clear();
    this.#held.clear();
    this.#tags.clear();
  }

  #entry(key: string): TierEntry | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    const now = this.#clock.now();
    if (kept.keptUntil <= now || !this.#tags.unchanged(kept.entry.tags, kept.stamp)) {
      this.#kept.delete(key);
      return undefined;
    }
    return { ...kept.entry, freshMs: kept.freshUntil - now, keepMs: kept.keptUntil - now };
  }

  #keep(key: string, entry: TierEntry, stamp: number): void {
    const now = this.#clock.now();
    this.#kept.delete(key);
    this.#kept.set(key, { entry, freshUntil: now + entry.freshMs, keptUntil: now + entry.keepMs, stamp });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#max) break;
      this.#kept.delete(oldest);
    }
  }

  #lease(key: string): Held | undefined {
    const held = this.#held.get(key);
    if (held === undefined || held.until > this.#clock.now()) return held;
    this.#held.delete(key);
    return undefined;
  }

  #grant(key: string, leaseMs: number): string {
    const now = this.#clock.now();
    for (const [oldest, { until }] of this.#held) {
      if (until > now) break;
      this.#held.delete(oldest);
    }
    const lease = crypto.randomUUID();
    this.#held.set(key, { lease, until: now + leaseMs, stamp: this.#sequence });
    return lease;
  }
}
