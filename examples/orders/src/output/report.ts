import { alignedTable, type Screen } from '@workspace/program';
import type { DriverName } from '../backends/backend.ts';

export interface Report {
  readonly driver: DriverName;
  /** What is on a server has it in its name. */
  readonly run: string;
  readonly orders: number;
  readonly killed: number;
  /** Orders that are charged. */
  readonly charged: number;
  /** Charges that were asked for once more, as the worker died before it knew of them. */
  readonly repeated: number;
  readonly doubled: number;
  readonly lost: number;
  readonly seconds: number;
  readonly ok: boolean;
}

const count = (value: number) => value.toLocaleString('en-US');

export function reportTable(report: Report, screen: Screen): string {
  const { orders, killed, charged, repeated, doubled, lost, seconds, ok } = report;
  const table = alignedTable([
    ['', report.driver],
    ['orders taken', count(orders)],
    ['workers killed', count(killed)],
    ['orders charged', count(charged)],
    ['charges asked for again', count(repeated)],
    ['double charges', count(doubled)],
    ['lost', count(lost)],
    ['seconds', seconds.toFixed(1)],
  ]);
  const verdict = ok ? 'Every order is charged, and none twice.' : 'This is not as it should be.';
  return `${table}\n\n${screen.paint(ok ? 'green' : 'red', verdict)}`;
}
