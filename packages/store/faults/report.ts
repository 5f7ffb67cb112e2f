import type { Fault, Finding } from './fault.ts';

/** The runs of one fault, added up. Times are in milliseconds, null where the fault has none. */
export interface Row {
  readonly fault: string;
  readonly runs: number;
  readonly operations: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly unexpected: number;
  readonly outageMsP50: number | null;
  readonly outageMsMax: number | null;
  readonly noticedMsP50: number | null;
  readonly noticedMsMax: number | null;
  /** Whether nothing happened that the fault does not allow. */
  readonly ok: boolean;
  /** Whether every run was noticed in the time that the fault states, if it states one. */
  readonly timely: boolean;
  readonly remarks: readonly string[];
}

const mostRemarks = 10;

export function rowOf(
  { name, allows = [], noticedWithinMs = Infinity }: Fault,
  findings: readonly Finding[],
): Row {
  const sum = (count: (finding: Finding) => number) =>
    findings.reduce((total, finding) => total + count(finding), 0);
  const lost = sum(finding => finding.lost);
  const duplicated = sum(finding => finding.duplicated);
  const unexpected = sum(finding => finding.unexpected);
  const isFine = (count: number, what: 'lost' | 'duplicated') => count === 0 || allows.includes(what);
  const [outageMsP50, outageMsMax] = spread(findings.map(({ outageMs }) => outageMs));
  const [noticedMsP50, noticedMsMax] = spread(findings.map(({ noticedMs }) => noticedMs));
  return {
    fault: name,
    runs: findings.length,
    operations: sum(finding => finding.operations),
    lost,
    duplicated,
    unexpected,
    outageMsP50,
    outageMsMax,
    noticedMsP50,
    noticedMsMax,
    ok: unexpected === 0 && isFine(lost, 'lost') && isFine(duplicated, 'duplicated'),
    timely: (noticedMsMax ?? 0) <= noticedWithinMs,
    remarks: findings.flatMap(({ remarks }) => remarks).slice(0, mostRemarks),
  };
}

function spread(times: readonly (number | undefined)[]): [p50: number | null, max: number | null] {
  const sorted = times.filter(time => time !== undefined).sort((a, b) => a - b);
  const last = sorted.at(-1);
  if (last === undefined) return [null, null];
  return [Math.round(sorted[sorted.length >> 1]!), Math.round(last)];
}

const columns = [
  ['fault', 'fault'],
  ['runs', 'runs'],
  ['operations', 'operations'],
  ['lost', 'lost'],
  ['duplicated', 'duplicated'],
  ['unexpected', 'unexpected'],
  ['noticed p50 / max', 'noticed'],
  ['resumed p50 / max', 'outage'],
  ['', 'ok'],
] as const;

export function verdict({ ok, timely }: Row): string {
  if (!ok) return 'NOT OK';
  return timely ? 'ok' : 'LATE';
}

/** As Markdown, to be read in a terminal and pasted into a README. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(row => {
    const times = (p50: number | null, max: number | null) => (p50 === null ? '' : `${p50} / ${max} ms`);
    const shown = {
      ...row,
      noticed: times(row.noticedMsP50, row.noticedMsMax),
      outage: times(row.outageMsP50, row.outageMsMax),
      ok: verdict(row),
    };
    return columns.map(([, name]) => String(shown[name]));
  });
  const all = [columns.map(([title]) => title as string), ...cells];
  const widths = columns.map((_, at) => Math.max(3, ...all.map(line => line[at]!.length)));
  const lines = all.map(line => `| ${line.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`);
  lines.splice(1, 0, `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`);
  const remarks = rows.flatMap(({ fault, remarks }) => remarks.map(remark => `${fault}: ${remark}`));
  return [...lines, ...remarks].join('\n');
}
