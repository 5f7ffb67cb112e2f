import { seededRandom } from '@ashlar/core';
import type { Fault, Finding } from './fault.ts';
import { type Row, rowOf } from './report.ts';

export interface RunOptions {
  readonly runs?: number | undefined;
  readonly seed: number;
  /** Told after each run. */
  readonly onRun?: (done: number, runs: number) => void;
}

/** Lets a fault happen again and again. A run that fails altogether counts as unexpected, and ends the fault. */
export async function runFault(
  fault: Fault,
  { runs = fault.usualRuns, seed, onRun }: RunOptions,
): Promise<Row> {
  const random = seededRandom(seed);
  const findings: Finding[] = [];
  await using scene = await fault.begin();
  for (let index = 0; index < runs; index++) {
    try {
      findings.push(await scene.run({ index, random }));
    } catch (error) {
      const remarks = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
      findings.push({ operations: 0, lost: 0, duplicated: 0, unexpected: 1, remarks });
      break;
    }
    onRun?.(index + 1, runs);
  }
  return rowOf(fault, findings);
}
