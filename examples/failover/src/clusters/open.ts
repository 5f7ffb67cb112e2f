import type { Cluster } from './cluster.ts';
import { startMemory } from './memory.ts';
import { startPostgresCluster } from './postgres.ts';
import { startRedisCluster } from './redis.ts';

export type Backend = 'memory' | 'postgres' | 'redis';

const starts: Record<Backend, () => Promise<Cluster>> = {
  memory: startMemory,
  postgres: startPostgresCluster,
  redis: startRedisCluster,
};

/** Starts the servers. @throws ServersError when the program is not on this machine */
export function openCluster(backend: Backend): Promise<Cluster> {
  return starts[backend]();
}
