import type { Fault } from '../fault.ts';
import { customers, faultsOf } from '../moving/faults.ts';
import { kinds } from '../moving/kinds.ts';
import { TwoServers } from './servers.ts';

/** Two shards of Redis, processes that write and read, and half of the keys of one that move to the other. */
export const redisMoveFaults: readonly Fault[] = faultsOf(
  kinds.map(kind => ({ ...kind, name: `redis-${kind.name}`, about: `Redis: ${kind.about}` })),
  standbys => TwoServers.start(customers, standbys),
);
