import type { Random } from '@ashlar/core';

/** What one run of a fault showed. */
export interface Finding {
  /** Operations whose outcome was told. */
  readonly operations: number;
  /** Acknowledged writes that are gone, or were undone. */
  readonly lost: number;
  /** Rights that two had at one moment, and writes that took effect twice. */
  readonly duplicated: number;
  /** Everything else that breaks a promise; `remarks` say what. */
  readonly unexpected: number;
  readonly remarks: readonly string[];
  /** From the fault to the first call or watch that told of it. */
  readonly noticedMs?: number;
  /** From the moment that the server was there again to the first operation that it acknowledged. */
  readonly outageMs?: number;
}

/** A prepared place, in which the fault happens again and again. */
export interface Scene extends AsyncDisposable {
  run(round: { readonly index: number; readonly random: Random }): Promise<Finding>;
}

export interface Fault {
  readonly name: string;
  readonly about: string;
  /** What may not be zero, because it is lost or duplicated by nature; `about` says so. */
  readonly allows?: readonly ('lost' | 'duplicated')[];
  /** Every run must be noticed in this time. Not a matter of `ok`, since a busy machine is late on its own. */
  readonly noticedWithinMs?: number;
  /** How many runs there are unless more or fewer are asked for. */
  readonly usualRuns: number;
  begin(): Promise<Scene>;
}

/** Counts what a run shows. */
export class Tally {
  operations = 0;
  lost = 0;
  duplicated = 0;
  readonly remarks: string[] = [];

  /** Something that must hold. */
  expect(holds: boolean, remark: string): void {
    if (!holds) this.remarks.push(remark);
  }

  finding(times: Pick<Finding, 'noticedMs' | 'outageMs'> = {}): Finding {
    const { operations, lost, duplicated, remarks } = this;
    return { operations, lost, duplicated, unexpected: remarks.length, remarks, ...times };
  }
}
