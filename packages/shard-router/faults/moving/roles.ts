import type { CallOutcome } from '@ashlar/core';
import type { TableSpec } from '../../src/tables/table.ts';

/** Where the servers of a shard are, of which one is the primary. */
interface Place {
  readonly urls: readonly string[];
  readonly replication: string;
}

/** What every process of a run is told. */
export interface Settings {
  /** A number for the process, or its rows would be those of another. */
  readonly process: number;
  readonly shards: Readonly<Record<string, Place>>;
  /** Where the map is kept. */
  readonly store: string;
  /** How many there are. */
  readonly customers: number;
}

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
  | { readonly type: 'step'; readonly step: string; readonly pauseMs?: number; readonly words?: string }
  | { readonly type: 'over'; readonly committed: boolean };

export const tables: Readonly<Record<string, TableSpec>> = {
  customer: { key: ['id'], primaryKey: ['id'], columns: { id: 'text', n: 'int8', direct: 'int8' } },
  purchase: { key: ['customer'], primaryKey: ['customer', 'id'], columns: { customer: 'text', id: 'text' } },
};

/** Their names. */
export const customerName = (n: number): string => `customer ${n}`;

/** The same for all processes of the machine. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
