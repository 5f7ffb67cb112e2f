import type { PrecomputeSnapshot } from '@ashlar/cron-precompute';

const hourMs = 3_600_000;
const barWidth = 40;

/** An hour of the shop. */
export interface Hour {
  readonly hour: number;
  readonly requests: number;
  readonly failed: number;
  /** Real milliseconds. */
  readonly p99Ms: number;
  /** Pages with related products. */
  readonly related: number;
  /** The share of the hour in which each job ran. */
  readonly jobs: Readonly<Record<string, number>>;
}

export interface Report {
  readonly hours: readonly Hour[];
  readonly runs: readonly {
    readonly job: string;
    readonly fromMs: number;
    readonly toMs: number;
    readonly status: string;
  }[];
  /** The home page shows them in the end. */
  readonly showsBestSellers: boolean;
  readonly versions: Readonly<Record<string, number>>;
  readonly ok: boolean;
}

/** What has happened, hour by hour. Times are milliseconds since noon, in the time of the shop. */
export class Tally {
  readonly #hours = Array.from({ length: 24 }, () => ({ tookMs: [] as number[], failed: 0, related: 0 }));
  readonly #began = new Map<string, number>();
  readonly #runs: { job: string; fromMs: number; toMs: number; status: string }[] = [];

  asked(atMs: number, tookMs: number, isGood: boolean, hasRelated: boolean): void {
    const hour = this.#hours[Math.min(23, Math.floor(atMs / hourMs))]!;
    hour.tookMs.push(tookMs);
    if (!isGood) hour.failed++;
    if (hasRelated) hour.related++;
  }

  begins(job: string, atMs: number): void {
    this.#began.set(job, atMs);
  }

  ends(job: string, toMs: number, status: string): void {
    this.#runs.push({ job, fromMs: this.#began.get(job) ?? toMs, toMs, status });
  }

  report(showsBestSellers: boolean, snapshots: readonly PrecomputeSnapshot[]): Report {
    const jobs = snapshots.map(({ name }) => name);
    const hours = this.#hours.map(({ tookMs, failed, related }, at): Hour => {
      const sorted = tookMs.toSorted((a, b) => a - b);
      const p99Ms = sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0;
      const shares = jobs.map(job => [job, this.#share(job, at)] as const);
      return {
        hour: (12 + at) % 24,
        requests: tookMs.length,
        failed,
        p99Ms,
        related,
        jobs: Object.fromEntries(shares),
      };
    });
    const failed = hours.reduce((sum, hour) => sum + hour.failed, 0);
    const versions = Object.fromEntries(snapshots.map(({ name, version }) => [name, version]));
    const ok = failed === 0 && showsBestSellers && Object.values(versions).every(version => version > 0);
    return { hours, runs: this.#runs, showsBestSellers, versions, ok };
  }

  #share(job: string, hour: number): number {
    const [from, to] = [hour * hourMs, (hour + 1) * hourMs];
    const mine = this.#runs.filter(run => run.job === job);
    return (
      mine.reduce((sum, run) => sum + Math.max(0, Math.min(to, run.toMs) - Math.max(from, run.fromMs)), 0) /
      hourMs
    );
  }
}

/** Load and work over the day, an hour a line. */
export function reportText({ hours, runs, versions, ok }: Report): string {
  const most = Math.max(...hours.map(({ requests }) => requests));
  const lines = hours.map(({ hour, requests, related, p99Ms, jobs }) => {
    const bar = '█'.repeat(Math.round((requests / most) * barWidth)).padEnd(barWidth);
    const working = Object.entries(jobs).filter(([, share]) => share > 0);
    const names = working.map(([job]) => job).join(', ');
    const shown = requests === 0 ? '' : `${Math.round((100 * related) / requests)} %`;
    return `${String(hour).padStart(2, '0')}:00  ${bar} ${String(requests).padStart(5)}  ${p99Ms.toFixed(1).padStart(6)} ms  ${shown.padStart(5)}  ${names}`.trimEnd();
  });
  const head = `       ${'page views'.padEnd(barWidth)} ${''.padStart(5)}  ${'p99'.padStart(9)}  ${'related'}  work`;
  const failed = hours.reduce((sum, hour) => sum + hour.failed, 0);
  const ends = [
    `runs: ${runs.map(({ job, status }) => `${job} ${status}`).join(', ')}`,
    `served: ${Object.entries(versions)
      .map(([name, version]) => `${name} version ${version}`)
      .join(', ')}`,
    ok ? 'no page failed' : `${failed} pages failed`,
  ];
  return [head, ...lines, '', ...ends].join('\n');
}

/** The time of the day. */
export function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(11, 16);
}
