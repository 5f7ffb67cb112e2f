import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** What the client saw of one request. */
export type Seen =
  | {
      readonly ok: true;
      readonly replica: string;
      readonly hit: boolean;
      /** It was answered without the shared tier that there should be. */
      readonly tierAway?: boolean;
    }
  | { readonly ok: false; readonly why: string };

/** What the answers of one replica amount to. */
export interface ReplicaTally {
  readonly requests: number;
  readonly hits: number;
}

/** A latency in milliseconds at each of these quantiles; 0 when nothing was recorded. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** An answer that takes longer is one that people notice. */
const lateMs = 500;
const longestUs = 3_600_000_000;

/** Counts the answers of a replay as its client saw them. */
export class Tally {
  readonly #replicas: Map<string, { requests: number; hits: number }> = new Map();
  readonly #servedBy: Map<string, Set<string>> = new Map();
  readonly #reasons: Map<string, number> = new Map();
  readonly #latencyUs: RecordableHistogram = createHistogram({ lowest: 1, highest: longestUs, figures: 3 });
  #hits = 0;
  #answered = 0;
  #errors = 0;
  #late = 0;

  add(key: string, seen: Seen, latencyMs: number): void {
    this.#latencyUs.record(Math.min(longestUs, Math.max(1, Math.round(latencyMs * 1000))));
    if (latencyMs > lateMs) this.#late++;
    if (!seen.ok) {
      this.#errors++;
      this.#reasons.set(seen.why, (this.#reasons.get(seen.why) ?? 0) + 1);
      return;
    }
    this.#answered++;
    const servedBy = this.#servedBy.get(key);
    if (servedBy === undefined) this.#servedBy.set(key, new Set([seen.replica]));
    else servedBy.add(seen.replica);
    const replica = this.#replicas.get(seen.replica) ?? { requests: 0, hits: 0 };
    this.#replicas.set(seen.replica, replica);
    replica.requests++;
    if (!seen.hit) return;
    replica.hits++;
    this.#hits++;
  }

  /** Requests that have ended, well or not: what was answered and the errors. */
  get requests(): number {
    return this.#answered + this.#errors;
  }

  get errors(): number {
    return this.#errors;
  }

  /** Requests that took more than half a second. */
  get late(): number {
    return this.#late;
  }

  get hits(): number {
    return this.#hits;
  }

  /** Hits over answers; 0 when there are none. */
  get hitRatio(): number {
    return ratio(this.#hits, this.#answered);
  }

  /** How many replicas served a product, and so cached it, on average. */
  get copies(): number {
    let copies = 0;
    for (const { size } of this.#servedBy.values()) copies += size;
    return ratio(copies, this.#servedBy.size);
  }

  get latency(): Latency {
    if (this.requests === 0) return { p50Ms: 0, p99Ms: 0, maxMs: 0 };
    const ms = (us: number) => us / 1000;
    const { max } = this.#latencyUs;
    return {
      p50Ms: ms(this.#latencyUs.percentile(50)),
      p99Ms: ms(this.#latencyUs.percentile(99)),
      maxMs: ms(max),
    };
  }

  /** By replica, in order of their names. */
  get replicas(): ReadonlyMap<string, ReplicaTally> {
    return new Map([...this.#replicas].sort(([a], [b]) => naturally(a, b)));
  }

  /** Why requests failed, the most frequent reason first. */
  get reasons(): readonly (readonly [string, number])[] {
    return [...this.#reasons].sort((a, b) => b[1] - a[1]);
  }
}

export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** `replica-2` before `replica-10`. */
export function naturally(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
