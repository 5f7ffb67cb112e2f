import type { Place } from '../backends/backend.ts';
import type { Ledger } from '../election/ledger.ts';

export interface Takeover {
  readonly from: number;
  readonly to: number;
  /** `lost`: nothing was done to the leader, and yet its lease ended. */
  readonly cause: 'killed' | 'stopped' | 'lost';
  readonly gapMs: number;
}

/** With `--json` as it is. */
export interface Report {
  readonly backend: Place['backend'];
  readonly ttlMs: number;
  readonly takeovers: readonly Takeover[];
  readonly acknowledged: number;
  readonly refused: number;
  readonly wentBack: number;
  readonly counter: number;
  /** It never went back, and what the script did had exactly the effects that it should have. */
  readonly ok: boolean;
}

/** `expected`: the takeovers of the script; without one, only that the counter never went back counts. */
export function reportOf(
  ledger: Ledger,
  facts: Pick<Report, 'backend' | 'ttlMs' | 'counter'>,
  expected: number | undefined,
): Report {
  const { terms, acknowledged, refused, wentBack } = ledger;
  const takeovers = terms.slice(1).map(({ contender, gapMs = 0 }, at): Takeover => {
    const { contender: from, cause = 'lost' } = terms[at]!;
    return { from, to: contender, cause, gapMs: Math.round(gapMs) };
  });
  const asExpected =
    takeovers.length === expected && takeovers.every(({ cause }) => cause !== 'lost') && refused === 1;
  const ok = wentBack === 0 && (expected === undefined || asExpected);
  return { ...facts, takeovers, acknowledged, refused, wentBack, ok };
}

export function reportTable(report: Report): string {
  const takeovers = report.takeovers.map(
    ({ from, to, cause, gapMs }) =>
      [
        `takeover, ${from} ${cause === 'lost' ? 'lost it' : `was ${cause}`}, ${to} leads`,
        `${gapMs} ms`,
      ] as const,
  );
  const rows = [
    ...takeovers,
    ['writes acknowledged', report.acknowledged],
    ['writes refused', report.refused],
    ['counter at the end', report.counter],
    ['counter went back', report.wentBack],
  ] as const;
  const lines = rows.map(([what, figure]) => `${what.padEnd(38)} ${String(figure).padStart(9)}`);
  if (!report.ok) lines.push(report.wentBack > 0 ? 'THE COUNTER WENT BACK' : 'not what was expected');
  return lines.join('\n');
}
