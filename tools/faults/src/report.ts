import { markdownTable } from '@workspace/program';
import type { Fault, Finding } from './fault.ts';

export interface Measure {
  /** As the table calls it. */
  readonly title: string;
  readonly unit: string;
  /** Which end of it is told beside the median; `max` by default. */
  readonly worst?: 'min' | 'max';
}

/** What a package counts and measures in every run. */
export interface Report<C extends string, M extends string> {
  readonly counts: readonly C[];
  readonly measures: Readonly<Record<M, Measure>>;
}

/** The runs of one fault, added up. Measures are rounded; null where the fault has none. */
export type Row<C extends string, M extends string> = Summary & Readonly<Record<C, number>> & Spreads<M>;

type Spreads<M extends string> = Readonly<Record<`${M}${'P50' | 'Min' | 'Max'}`, number | null>>;

export interface Summary {
  readonly fault: string;
  readonly runs: number;
  readonly operations: number;
  readonly unexpected: number;
  /** Whether nothing happened that the fault does not allow. */
  readonly ok: boolean;
  /** Whether every run kept within the times that the fault states. */
  readonly timely: boolean;
  readonly remarks: readonly string[];
}

const mostRemarks = 10;

export function rowOf<C extends string, M extends string>(
  { name, allows = [], within = {}, usually = {} }: Fault<C, M>,
  findings: readonly Finding<C, M>[],
  { counts, measures }: Report<C, M>,
): Row<C, M> {
  const sum = (count: (finding: Finding<C, M>) => number) =>
    findings.reduce((total, finding) => total + count(finding), 0);
  const counted = counts.map(count => [count, sum(finding => finding[count])] as const);
  const spreads = namesOf(measures).map(measure => {
    const values = findings.map(finding => finding[measure]);
    return [measure, values.filter(value => value !== undefined) as number[]] as const;
  });
  const keeps = (values: readonly number[], limit = Infinity) => values.every(value => value <= limit);
  const unexpected = sum(finding => finding.unexpected);
  return {
    fault: name,
    runs: findings.length,
    operations: sum(finding => finding.operations),
    ...(Object.fromEntries(counted) as Record<C, number>),
    unexpected,
    ...(Object.fromEntries(spreads.flatMap(spread)) as Spreads<M>),
    ok: unexpected === 0 && counted.every(([count, total]) => total === 0 || allows.includes(count)),
    timely: spreads.every(
      ([measure, values]) => keeps(values, within[measure]) && keeps(medianOf(values), usually[measure]),
    ),
    remarks: findings.flatMap(({ remarks }) => remarks).slice(0, mostRemarks),
  };
}

function spread([name, values]: readonly [name: string, values: number[]]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => (sorted.length === 0 ? null : Math.round(sorted.at(index)!));
  return [
    [`${name}P50`, at(sorted.length >> 1)],
    [`${name}Min`, at(0)],
    [`${name}Max`, at(-1)],
  ];
}

/** None of no values. */
function medianOf(values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.slice(sorted.length >> 1, (sorted.length >> 1) + 1);
}

export function verdict({ ok, timely }: Summary): string {
  if (!ok) return 'NOT OK';
  return timely ? 'ok' : 'LATE';
}

/** As Markdown, to be read in a terminal and pasted into a README. */
export function table<C extends string, M extends string>(
  rows: readonly Row<C, M>[],
  { counts, measures }: Report<C, M>,
): string {
  const columns: readonly (readonly [title: string, cell: (row: Row<C, M>) => string | number])[] = [
    ['fault', row => row.fault],
    ['runs', row => row.runs],
    ['operations', row => row.operations],
    ...counts.map(count => [count, (row: Row<C, M>) => row[count]] as const),
    ['unexpected', row => row.unexpected],
    ...namesOf(measures).map(name => {
      const { title, unit, worst = 'max' } = measures[name];
      const last = `${name}${worst === 'max' ? 'Max' : 'Min'}` as const;
      const figures = (row: Spreads<M>) => {
        const p50 = row[`${name}P50`];
        return p50 === null ? '' : `${p50} / ${row[last]} ${unit}`;
      };
      return [`${title} p50 / ${worst}`, figures] as const;
    }),
    ['', row => verdict(row)],
  ];
  const lines = [
    columns.map(([title]) => title),
    ...rows.map(row => columns.map(([, cell]) => `${cell(row)}`)),
  ];
  const remarks = rows.flatMap(({ fault, remarks }) => remarks.map(remark => `${fault}: ${remark}`));
  return [markdownTable(lines), ...remarks].join('\n');
}

/** The names of what a row has, in its order. */
export function fieldsOf<C extends string, M extends string>({ counts, measures }: Report<C, M>): string[] {
  const spreads = namesOf(measures).flatMap(name => [`${name}P50`, `${name}Min`, `${name}Max`]);
  return ['fault', 'runs', 'operations', ...counts, 'unexpected', ...spreads, 'ok', 'timely', 'remarks'];
}

function namesOf<M extends string>(measures: Readonly<Record<M, Measure>>): M[] {
  return Object.keys(measures) as M[];
}
