import type { Shop } from '../clusters/cluster.ts';
import type { Traffic } from '../traffic/traffic.ts';

/** With `--json` as it is. */
export interface Report {
  readonly cluster: string;
  /** Of the primary at the end; it grows with each change. */
  readonly term: number;
  readonly acknowledged: number;
  /** Acknowledged orders that the primary does not have. */
  readonly lost: number;
  /** Orders whose outcome could not be found out. */
  readonly unknown: number;
  /** Of those, how many the primary has. */
  readonly unknownButThere: number;
  /** Orders of which the shop was told that nothing was executed. */
  readonly notExecuted: number;
  /** Of those, how many the primary has all the same. */
  readonly notExecutedButThere: number;
  /** Reads that did not see what was written with their session. */
  readonly brokenReads: number;
  /** Reads of level `eventual` that did not see the latest order. */
  readonly oldReads: number;
  readonly failedReads: number;
  readonly longestGapMs: number;
  /** Nothing is lost, no level was broken, and what was told is true. */
  readonly ok: boolean;
}

/** Asks the primary what it has. */
export async function reportOf(cluster: string, shop: Shop, traffic: Traffic): Promise<Report> {
  const there = new Set(await shop.all());
  const { acknowledged, unknown, notExecuted, broken, old, failedReads, longestGapMs } = traffic;
  const has = (orders: ReadonlySet<number>) => [...orders].filter(order => there.has(order)).length;
  const lost = acknowledged.size - has(acknowledged);
  const notExecutedButThere = has(notExecuted);
  return {
    cluster,
    term: shop.snapshot().term ?? 0,
    acknowledged: acknowledged.size,
    lost,
    unknown: unknown.size,
    unknownButThere: has(unknown),
    notExecuted: notExecuted.size,
    notExecutedButThere,
    brokenReads: broken,
    oldReads: old,
    failedReads,
    longestGapMs: Math.round(longestGapMs),
    ok: lost === 0 && broken === 0 && notExecutedButThere === 0,
  };
}

export function reportTable(report: Report): string {
  const rows = [
    ['orders acknowledged', report.acknowledged],
    ['  lost', report.lost],
    ['orders of unknown outcome', report.unknown],
    ['  of these, there', report.unknownButThere],
    ['orders that were not executed', report.notExecuted],
    ['  of these, there all the same', report.notExecutedButThere],
    ['reads that missed their own order', report.brokenReads],
    ['reads that failed', report.failedReads],
    ['eventual reads that were old', report.oldReads],
    ['longest time without an order, ms', report.longestGapMs],
  ] as const;
  const lines = rows.map(([what, figure]) => `${what.padEnd(38)} ${String(figure).padStart(7)}`);
  if (!report.ok) lines.push('NOT WHAT WAS PROMISED');
  return lines.join('\n');
}
