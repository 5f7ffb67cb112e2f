import type { Random } from '@ashlar/core';
import type { ShardMap } from '../../src/map/shard-map.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import type { Tally } from '../fault.ts';
import type { Traffic } from './peers.ts';

/** Writes one row past the router, at one shard: a fence is all that is in its way. */
export interface Direct {
  /** Whether it was let in. A failure was not, as far as anybody knows. */
  write(): Promise<boolean>;
  end(): Promise<void>;
}

/** What every process of a run is told, whatever the servers are. */
export interface PlaceSettings {
  /** Where the map is kept. */
  readonly store: string;
  /** How many there are. */
  readonly customers: number;
  /** Of each process that writes. */
  readonly writesPerSecond: number;
}

/** Servers with customers, between which these move. */
export interface Place extends AsyncDisposable {
  readonly settings: PlaceSettings;
  /** The programs of the processes that write and read, and of those that move. */
  readonly programs: { readonly client: URL; readonly coordinator: URL };

  request(map: ShardMap, random: Random): MoveRequest & { readonly from: string; readonly to: string };
  /** Is killed, and started again. */
  restart(shard: string): Promise<void>;
  /** Its primary is killed for good, and the standby takes its place. */
  failover(shard: string): Promise<void>;
  signalAll(shard: string, signal: NodeJS.Signals): void;
  direct(shard: string, customer: string): Direct;
  /** How often the row was written past the router; 0 where there is none. */
  directs(shard: string, customer: string): Promise<number>;
  /** Each write is on the shard that has its customer, once, and nowhere else. */
  judge(map: ShardMap, traffic: readonly Traffic[], tally: Tally): Promise<void>;
  /** In words, what the servers themselves have waited for since this was asked last. */
  waits?(): Promise<string>;
}
