import type { Tally } from './fault.ts';

/** Milliseconds of the one monotonic clock that all processes of a machine share; it goes on while one is stopped. */
export function instant(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What a read was told. It was served at some moment after `invokedAt`. */
export interface Read {
  readonly key: string;
  readonly invokedAt: number;
  readonly value: string | null;
  /** Whether it was answered from the memory of its process. */
  readonly isHit: boolean;
}

/** A value that is written once. */
export interface Write {
  readonly key: string;
  readonly value: string;
  /** When its caller knew; null when it was rejected, and may have been made or not. */
  readonly resolvedAt: number | null;
}

/** What one process did. */
export interface Doings {
  readonly reads: readonly Read[];
  readonly writes: readonly Write[];
  /** Of reads that were rejected, and of writes other than by WriteError. */
  readonly errors: readonly string[];
}

/** For each key, what its source had, in order. No value comes twice. */
export type Order = ReadonlyMap<string, readonly string[]>;

/** Knows how old every value was at any moment. */
export class Judge {
  readonly #positions = new Map<string, ReadonlyMap<string, number>>();
  /** For each position of a key, when a newer write had first resolved. */
  readonly #outdatedAt = new Map<string, readonly number[]>();

  constructor(order: Order, writes: readonly Write[]) {
    for (const [key, values] of order) {
      const positions = new Map(values.map((value, position) => [value, position]));
      const resolvedAt = values.map(() => Number.POSITIVE_INFINITY);
      for (const write of writes) {
        const position = write.key === key ? positions.get(write.value) : undefined;
        if (position !== undefined) resolvedAt[position] = write.resolvedAt ?? Number.POSITIVE_INFINITY;
      }
      let earliest = Number.POSITIVE_INFINITY;
      const outdatedAt = resolvedAt.map(() => earliest);
      for (let position = values.length - 1; position >= 0; position--) {
        outdatedAt[position] = earliest;
        earliest = Math.min(earliest, resolvedAt[position]!);
      }
      this.#positions.set(key, positions);
      this.#outdatedAt.set(key, outdatedAt);
    }
  }

  /**
   * For how long at least, when the read began, a newer write had been resolved: negative when none had. Undefined when
   * the source never had that value.
   */
  staleness({ key, value, invokedAt }: Pick<Read, 'key' | 'value' | 'invokedAt'>): number | undefined {
    const position = value === null ? undefined : this.#positions.get(key)?.get(value);
    return position === undefined ? undefined : invokedAt - this.#outdatedAt.get(key)![position]!;
  }

  /** Reads of processes. Gives the longest staleness, at least 0. */
  reads(reads: readonly Read[], boundMs: number, tally: Tally): number {
    let longest = 0;
    for (const read of reads) {
      tally.operations++;
      const staleness = this.staleness(read);
      tally.expect(staleness !== undefined, `${read.key} was ${read.value}, which its source never had`);
      if (staleness === undefined) continue;
      if (staleness > boundMs) tally.stale++;
      longest = Math.max(longest, staleness);
    }
    return longest;
  }

  /** What was found in the shared tier: it may be nothing, but never old. */
  samples(samples: readonly Read[], tally: Tally): void {
    for (const sample of samples) {
      if (sample.value !== null && !(this.staleness(sample)! <= 0)) tally.restored++;
    }
  }
}

/** Of a hundred reads in that time, how many were answered from memory; undefined when there were none. */
export function hitShare(reads: readonly Read[], from: number, until: number): number | undefined {
  const within = reads.filter(({ invokedAt }) => invokedAt >= from && invokedAt <= until);
  if (within.length === 0) return undefined;
  return (100 * within.filter(({ isHit }) => isHit).length) / within.length;
}
