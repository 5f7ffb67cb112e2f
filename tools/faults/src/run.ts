import { seededRandom } from '@ashlar/core';
import type { Fault, Finding } from './fault.ts';
import { type Report, type Row, rowOf } from './report.ts';

export interface RunOptions {
  readonly runs?: number | undefined;
  readonly seed: number;
  /** Told after each run. */
  readonly onRun?: (done: number, runs: number) => void;
}

/** Lets a fault happen again and again. A run that fails altogether counts as unexpected, and ends the fault. */
export async function runFault<C extends string, M extends string>(
  fault: Fault<C, M>,
  report: Report<C, M>,
  { runs = fault.usualRuns, seed, onRun }: RunOptions,
): Promise<Row<C, M>> {
  const random = seededRandom(seed);
  const findings: Finding<C, M>[] = [];
  await using scene = await fault.begin();
  for (let index = 0; index < runs; index++) {
    try {
      findings.push(await scene.run({ index, random }));
    } catch (error) {
      const remarks = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
      const none = Object.fromEntries(report.counts.map(count => [count, 0]));
      findings.push({ operations: 0, unexpected: 1, remarks, ...none } as Finding<C, M>);
      break;
    }
    onRun?.(index + 1, runs);
  }
  return rowOf(fault, findings, report);
}
