import type { CallOutcome } from '@ashlar/core';

/** One write, as its process was told of it. Times are those of the machine's monotonic clock. */
export interface Write {
  readonly customer: string;
  readonly id: string;
  readonly begunAt: number;
  readonly endedAt: number;
  readonly outcome: CallOutcome;
}

/** What a client says. */
export type ClientMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'write'; readonly write: Write }
  | { readonly type: 'stale'; readonly remark: string }
  | { readonly type: 'broken'; readonly remark: string };

/** What a coordinator says. */
export type CoordinatorMessage =
  | {
      readonly type: 'step';
      readonly step: string;
      readonly at: number;
      readonly pauseMs?: number;
      readonly words?: string;
    }
  | { readonly type: 'over'; readonly committed: boolean };

/** Their names. */
export const customerName = (n: number): string => `customer ${n}`;

/** The same for all processes of the machine. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
