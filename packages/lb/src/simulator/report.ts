/** Of the requests that succeeded, retries included, in milliseconds; 0 when none did. */
export interface LatencyReport {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface ReplicaReport {
  readonly attempts: number;
  /** Its part of all attempts. */
  readonly share: number;
}

export interface SimulationReport {
  /** Requests since the start of the figures. */
  readonly requests: number;
  readonly succeeded: number;
  /** Requests that ended in an error or a response that counts as a failure. */
  readonly failed: number;
  readonly unanswered: number;
  readonly latencyMs: LatencyReport;
  readonly replicas: Readonly<Record<string, ReplicaReport>>;
}

/** The figures of a simulation since the latest `restart`. */
export class Figures {
  requests = 0;
  /** How long requests took until they succeeded, and until they failed. */
  readonly latencies: number[] = [];
  readonly failures: number[] = [];
  readonly attempts: Map<string, number> = new Map();

  attempt(id: string): void {
    this.attempts.set(id, (this.attempts.get(id) ?? 0) + 1);
  }

  slowerThan(ms: number): number {
    return [...this.latencies, ...this.failures].filter(tookMs => tookMs > ms).length;
  }

  report(ids: readonly string[]): SimulationReport {
    const sorted = Float64Array.from(this.latencies).sort();
    const total = ids.reduce((sum, id) => sum + (this.attempts.get(id) ?? 0), 0);
    const replicas = ids.map(id => {
      const attempts = this.attempts.get(id) ?? 0;
      return [id, { attempts, share: total === 0 ? 0 : attempts / total }] as const;
    });
    return {
      requests: this.requests,
      succeeded: sorted.length,
      failed: this.failures.length,
      unanswered: this.requests - sorted.length - this.failures.length,
      latencyMs: {
        mean: sorted.reduce((sum, ms) => sum + ms, 0) / Math.max(1, sorted.length),
        p50: percentile(sorted, 0.5),
        p90: percentile(sorted, 0.9),
        p99: percentile(sorted, 0.99),
        p999: percentile(sorted, 0.999),
        max: sorted.at(-1) ?? 0,
      },
      replicas: Object.fromEntries(replicas),
    };
  }
}

/** The percentile by nearest rank. */
function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}
