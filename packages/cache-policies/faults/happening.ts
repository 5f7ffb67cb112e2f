import type { Run } from './run.ts';

export interface Happening {
  readonly name: string;
  readonly about: string;
  /** The share of operations that write while it happens. */
  readonly writes: number;
  /** Whether there are writes that nobody could be told of. */
  readonly rejects: boolean;
  /** Resolves when all is well again. */
  happen(run: Run): Promise<void>;
}
