import type { CallOutcome } from '@ashlar/core';

/** What a writing process is told. */
export interface WriterSettings {
  readonly writer: number;
  /** A name for the set, of its own in each run, as the store outlives the cluster. */
  readonly set: string;
  readonly servers: readonly {
    readonly id: string;
    readonly connection: string;
    readonly replication: string;
  }[];
  /** Where the term is kept. */
  readonly store: string;
  /** Once it is told `arm`, it stops itself before its step of that number at a server. */
  readonly stopAtStep?: number | undefined;
}

/** One write, as its process was told of it. Times are those of the machine's monotonic clock. */
export interface Write {
  readonly n: number;
  readonly begunAt: number;
  readonly endedAt: number;
  readonly outcome: CallOutcome;
  /** Which server took it, and on which timeline, where it was acknowledged. */
  readonly server?: string | undefined;
}

/** What a writing process says, a line each. */
export type WriterMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'write'; readonly write: Write }
  | { readonly type: 'broken'; readonly remark: string };

/** The same for all processes of the machine. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
