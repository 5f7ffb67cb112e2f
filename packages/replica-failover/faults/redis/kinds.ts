import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { eventually, type Postgres, type TcpProxy } from '@workspace/services';
import { Redis } from 'ioredis';
import pg from 'pg';
import { leading, ReplicaSet } from '../../src/index.ts';
import { killStore, stopOne } from '../strikes.ts';
import { fates, handOver, switchoverMs } from '../switchover.ts';
import type { Traffic } from '../traffic.ts';
import type { WriterSettings } from '../writer.ts';
import type { RedisReplication } from './replication.ts';

export const primary = 'primary';
export type By = 'leading' | 'sentinel' | 'ioredis';
const all: readonly By[] = ['leading', 'sentinel', 'ioredis'];

export interface Place {
  readonly replication: RedisReplication;
  /** Of the term. */
  readonly store: Postgres;
  /** The name of the set. */
  readonly set: string;
  /** As the processes have them. */
  readonly servers: WriterSettings['servers'];
  /** The way to the primary, where the kind asks for one. */
  readonly way: TcpProxy | undefined;
  readonly processes: readonly Traffic[];
  readonly random: Random;
  /** To be called when it has happened, from when on writes are missed. */
  struck(): void;
}

export interface Kind {
  readonly name: string;
  readonly about: string;
  /** Who says who is primary. */
  readonly bys: readonly By[];
  /** Whether all that goes to the primary goes through a proxy. */
  readonly isProxied?: boolean;
  /** How many replicas must have a write. Default: 1. */
  readonly acknowledge?: number;
  /** Milliseconds without writes that no run may exceed where the set leads, on a machine that has nothing else to do. */
  readonly withinMs?: number;
  /** Whether writes only wait: then the slowest counts. */
  readonly isPlanned?: boolean;
  /** Lets it happen. Resolves with what brings back to life what stands still, or with what was done. */
  happen(place: Place): Promise<(() => void) | string | undefined>;
}

export const redisKinds: readonly Kind[] = [
  {
    name: 'killed',
    about: 'the primary is killed under load',
    withinMs: 1_500,
    bys: all,
    async happen({ replication, struck }) {
      await replication.members.get(primary)!.kill();
      struck();
      return undefined;
    },
  },
  {
    name: 'stopped',
    about: 'the primary stands still, and goes on when another is primary',
    withinMs: 3_000,
    bys: all,
    async happen({ replication, struck }) {
      const server = replication.members.get(primary)!;
      server.pause();
      struck();
      return () => server.resume();
    },
  },
  {
    name: 'black-holed',
    about:
      'nothing passes to or from the primary, which lives, and no connection ends; later all passes again',
    bys: ['leading'],
    isProxied: true,
    withinMs: 3_000,
    async happen({ way, struck }) {
      way!.stall();
      struck();
      return () => way!.resume();
    },
  },
  {
    name: 'orchestrator-stopped',
    about:
      'the primary is killed, and at some step of the promotion one of two processes stands still for 6 s',
    bys: ['leading'],
    async happen({ replication, processes, random, struck }) {
      await replication.members.get(primary)!.kill();
      struck();
      await stopOne(processes, random);
      return undefined;
    },
  },
  {
    name: 'replica-killed',
    about: 'a replica is killed: nobody is promoted, and writes go on',
    bys: ['leading'],
    async happen({ replication, struck }) {
      await replication.members.get('replica0')!.kill();
      struck();
      return undefined;
    },
  },
  {
    name: 'store-killed',
    about: 'the store of the term is killed and comes back: nobody is promoted, and writes go on',
    bys: ['leading'],
    async happen({ store, struck }) {
      await killStore(store, struck);
      return undefined;
    },
  },
  {
    name: 'switchover',
    about: 'a third process hands over on purpose',
    bys: ['leading'],
    isPlanned: true,
    withinMs: 200,
    async happen({ replication, store, set: name, struck }) {
      const pool = new pg.Pool({ connectionString: store.url });
      const authority = leading({ store: postgresStore({ pool }) });
      const set = await ReplicaSet.connect({
        name,
        authority,
        servers: replication.servers({ acknowledge: 1 }),
      });
      try {
        struck();
        await set.switchover();
      } finally {
        await set.close();
        await pool.end();
      }
      return undefined;
    },
  },
  ...(['SIGKILL', 'SIGSTOP'] as const).map(
    (signal): Kind => ({
      name: `switchover-${signal === 'SIGKILL' ? 'killed' : 'stopped'}`,
      about: `a third process hands over, and ${fates[signal]} at some step of that`,
      bys: ['leading'],
      isPlanned: true,
      withinMs: switchoverMs,
      happen: ({ store, ...place }) =>
        handOver({ ...place, signal, settings: { ...place, backend: 'redis', store: store.url } }),
    }),
  ),
  {
    name: 'switchover-asked',
    about: 'a Sentinel is asked for a failover while the primary lives',
    bys: ['sentinel', 'ioredis'],
    isPlanned: true,
    // The primary of before takes writes for a while, and one replica follows it still
    acknowledge: 2,
    async happen({ replication, struck }) {
      const client = new Redis(replication.sentinels[0]!.url, { retryStrategy: () => null });
      client.on('error', () => {});
      try {
        struck();
        await client.call('SENTINEL', 'FAILOVER', replication.masterName);
        await eventually(
          async () => {
            const place = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', replication.masterName);
            const { port } = replication.members.get(primary)!;
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
