/** With `--json` as it is. */
export interface Report {
  readonly shards: string;
  readonly rows: number;
  /** By shard, in the end. */
  readonly slots: Readonly<Record<string, number>>;
  readonly moves: number;
  readonly writes: number;
  /** Acknowledged payments that are not there. */
  readonly lost: number;
  /** Payments that are there twice, or that nobody has made. */
  readonly twice: number;
  /** Writes whose outcome nobody knows. */
  readonly unknown: number;
  readonly failedWrites: number;
  /** How often a write waited while its rows changed hands. */
  readonly heldWrites: number;
  /** The longest that the rows of a move could not be written, and the longest that a write has taken. */
  readonly longestPauseMs: number;
  readonly longestWriteMs: number;
  readonly reads: number;
  /** Reads that missed a payment which was acknowledged before they began. */
  readonly stale: number;
  readonly failedReads: number;
  /** What the moves have left at the shards, in words. */
  readonly leaks: readonly string[];
  /** Four shards have a quarter each, nothing is lost or done twice, no read was stale, nothing is left behind. */
  readonly ok: boolean;
}

export function isAsPromised(report: Omit<Report, 'ok'>): boolean {
  const { lost, twice, stale, leaks, slots } = report;
  const counts = Object.values(slots);
  const isEven = counts.every(count => count === counts[0]);
  return lost === 0 && twice === 0 && stale === 0 && leaks.length === 0 && isEven;
}

export function reportTable(report: Report): string {
  const rows = [
    ['payments acknowledged', report.writes],
    ['  lost', report.lost],
    ['  there twice', report.twice],
    ['payments of unknown outcome', report.unknown],
    ['payments that were not executed', report.failedWrites],
    ['payments that waited for their rows', report.heldWrites],
    ['reads', report.reads],
    ['  that were stale', report.stale],
    ['  that failed', report.failedReads],
    ['moves', report.moves],
    ['longest pause of rows that moved, ms', report.longestPauseMs],
    ['longest payment, ms', report.longestWriteMs],
  ] as const;
  const lines = rows.map(([what, figure]) => `${what.padEnd(38)} ${String(figure).padStart(7)}`);
  for (const leak of report.leaks) lines.push(`left behind: ${leak}`);
  if (!report.ok) lines.push('NOT WHAT WAS PROMISED');
  return lines.join('\n');
}
