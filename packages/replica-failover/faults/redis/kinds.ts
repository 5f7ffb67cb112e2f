import { eventually } from '@workspace/services';
import { Redis } from 'ioredis';
import { type Kind, kindsOf, primaryKilled } from '../kinds.ts';
import type { RedisReplication } from './replication.ts';

export const primary = 'primary';
export type By = 'leading' | 'sentinel' | 'ioredis';
const all: readonly By[] = ['leading', 'sentinel', 'ioredis'];

export interface RedisKind extends Kind<RedisReplication> {
  /** Who says who is primary. */
  readonly bys: readonly By[];
  /** How many replicas must have a write. Default: 1. */
  readonly acknowledge?: number;
}

const led = kindsOf({
  backend: 'redis',
  primary,
  replica: 'replica0',
  servers: (cluster: RedisReplication) => cluster.servers({ acknowledge: 1 }),
});

export const redisKinds: readonly RedisKind[] = [
  { ...primaryKilled(primary), name: 'killed', bys: all },
  {
    name: 'stopped',
    about: 'the primary stands still, and goes on when another is primary',
    withinMs: 3_000,
    bys: all,
    async happen({ cluster, struck }) {
      const server = cluster.members.get(primary)!;
      server.pause();
      struck();
      return () => server.resume();
    },
  },
  ...led.map((kind): RedisKind => ({ ...kind, name: kind.name.replace(/^primary-/, ''), bys: ['leading'] })),
  {
    name: 'switchover-asked',
    about: 'a Sentinel is asked for a failover while the primary lives',
    bys: ['sentinel', 'ioredis'],
    isPlanned: true,
    // The primary of before takes writes for a while, and one replica follows it still
    acknowledge: 2,
    async happen({ cluster, struck }) {
      const client = new Redis(cluster.sentinels[0]!.url, { retryStrategy: () => null });
      client.on('error', () => {});
      try {
        struck();
        await client.call('SENTINEL', 'FAILOVER', cluster.masterName);
        await eventually(
          async () => {
            const place = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', cluster.masterName);
            const { port } = cluster.members.get(primary)!;
            if (String((place as unknown[])[1]) === String(port)) throw new Error('nobody has taken over');
          },
          { withinMs: 60_000 },
        );
      } finally {
        client.disconnect();
      }
      return undefined;
    },
  },
];
