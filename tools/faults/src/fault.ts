import type { Random } from '@ashlar/core';

/**
 * What one run of a fault showed. Counts (`C`) are of what breaks a promise, and must be zero unless the fault allows
 * them. Measures (`M`) are absent where a run has none.
 */
export type Finding<C extends string, M extends string> = Observations &
  Readonly<Record<C, number>> & { readonly [measure in M]?: number };

export interface Observations {
  /** Operations whose outcome was told. */
  readonly operations: number;
  /** Everything that breaks a promise and is not counted otherwise; `remarks` say what. */
  readonly unexpected: number;
  readonly remarks: readonly string[];
}

/** A prepared place, in which the fault happens again and again. */
export interface Scene<C extends string, M extends string> extends AsyncDisposable {
  run(round: Round): Promise<Finding<C, M>>;
}

export interface Round {
  readonly index: number;
  readonly random: Random;
}

export interface Fault<C extends string, M extends string> {
  readonly name: string;
  readonly about: string;
  /** What may not be zero, because it happens by nature; `about` says so. */
  readonly allows?: readonly C[];
  /** No run may measure more. Not a matter of `ok`, since a busy machine is late on its own. */
  readonly within?: { readonly [measure in M]?: number };
  /** The median of all runs may not be more. Not a matter of `ok` either. */
  readonly usually?: { readonly [measure in M]?: number };
  /** How many runs there are unless more or fewer are asked for. */
  readonly usualRuns: number;
  begin(): Promise<Scene<C, M>>;
}

/** Counts what a run shows; a package's own tally adds its counts. */
export class Tally {
  operations = 0;
  readonly remarks: string[] = [];

  /** Something that must hold. */
  expect(holds: boolean, remark: string): void {
    if (!holds) this.remarks.push(remark);
  }

  protected get observations(): Observations {
    const { operations, remarks } = this;
    return { operations, unexpected: remarks.length, remarks };
  }
}
