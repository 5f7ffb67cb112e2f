import type { Fault } from '../fault.ts';
import { customers, faultsOf } from '../moving/faults.ts';
import { kinds } from '../moving/kinds.ts';
import { FourShards } from './shards.ts';

/** Four shards of PostgreSQL, processes that write and read, and a quarter of the rows that moves. */
export const moveFaults: readonly Fault[] = faultsOf(kinds, standbys =>
  FourShards.start(customers, standbys),
);
