import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import { type Postgres, type PostgresServer, signal, type TcpProxy } from '@workspace/services';
import pg from 'pg';
import { leading, ReplicaSet } from '../../src/index.ts';
import { killStore, stopOne } from '../strikes.ts';
import { fates, handOver, isStopped, switchoverMs } from '../switchover.ts';
import type { Traffic } from '../traffic.ts';
import type { WriterSettings } from '../writer.ts';
import { type PostgresCluster, signalAll } from './cluster.ts';

export const primary = 'postgres';
const stalls = 200;

export interface Place {
  readonly cluster: PostgresCluster;
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
  /** Whether all that goes to the primary goes through a proxy. */
  readonly isProxied?: boolean;
  /** Whether one of the processes stops itself at the step of a promotion that the run has the number of. */
  readonly stopsAtSteps?: boolean;
  /** Whether writes only wait: then the slowest counts. */
  readonly isPlanned?: boolean;
  /** Whether nobody is to be promoted. */
  readonly keepsPrimary?: boolean;
  /** Milliseconds without writes that no run may exceed, on a machine that has nothing else to do. */
  readonly withinMs?: number;
  /** How many runs there are unless more or fewer are asked for. Default: 20. */
  readonly usualRuns?: number;
  /** Lets it happen. Resolves with what brings back to life what stands still, or with what was done. */
  happen(place: Place): Promise<(() => Promise<void> | void) | string | undefined>;
}

export const kinds: readonly Kind[] = [
  {
    name: 'primary-killed',
    about: 'the primary is killed under load: the processes promote a standby',
    withinMs: 1_500,
    async happen({ cluster, struck }) {
      await cluster.members.get(primary)!.kill();
      struck();
      return undefined;
    },
  },
  {
    name: 'primary-stopped',
    about: 'the primary stands still, its connections stay open; it goes on when another is primary',
    withinMs: 3_000,
    async happen({ cluster, struck }) {
      signalAll(cluster.members.get(primary)!, 'SIGSTOP');
      struck();
      return () => signalAll(cluster.members.get(primary)!, 'SIGCONT');
    },
  },
  {
    name: 'orchestrator-stopped',
    about:
      'the primary is killed, and at some step of the promotion one of two processes stands still for 6 s',
    async happen({ cluster, processes, random, struck }) {
      await cluster.members.get(primary)!.kill();
      struck();
      await stopOne(processes, random);
      return undefined;
    },
  },
  {
    name: 'replica-killed',
    about: 'a standby is killed: nobody is promoted, and writes go on',
    keepsPrimary: true,
    async happen({ cluster, struck }) {
      await cluster.members.get('standby0')!.kill();
      struck();
      return undefined;
    },
  },
  {
    name: 'store-killed',
    about: 'the store of the term is killed and comes back: nobody is promoted, and writes go on',
    keepsPrimary: true,
    async happen({ store, struck }) {
      await killStore(store, struck);
      return undefined;
    },
  },
  {
    name: 'primary-stalls',
    about: `the primary stands still ${stalls} times, for up to half a second each: nobody is promoted`,
    keepsPrimary: true,
    usualRuns: 3,
    async happen({ cluster, random, struck }) {
      struck();
      await stall(cluster.members.get(primary)!, random);
      return undefined;
    },
  },
  {
    name: 'replica-stalls',
    about: `a standby stands still ${stalls} times, for up to half a second each: nobody is promoted, and writes go on`,
    keepsPrimary: true,
    usualRuns: 3,
    async happen({ cluster, random, struck }) {
      struck();
      await stall(cluster.members.get('standby0')!, random);
      return undefined;
    },
  },
  {
    name: 'primary-black-holed',
    about:
      'nothing passes to or from the primary, which lives, and no connection ends; later all passes again',
    isProxied: true,
    withinMs: 3_000,
    async happen({ way, struck }) {
      way!.stall();
      struck();
      return () => way!.resume();
    },
  },
  {
    name: 'switchover',
    about: 'a third process hands over on purpose',
    isPlanned: true,
    withinMs: 200,
    async happen({ cluster, store, set: name, struck }) {
      const pool = new pg.Pool({ connectionString: store.url });
      const authority = leading({ store: postgresStore({ pool }) });
      const set = await ReplicaSet.connect({ name, authority, servers: cluster.servers() });
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
      isPlanned: true,
      withinMs: switchoverMs,
      happen: ({ store, ...place }) =>
        handOver({ ...place, signal, settings: { ...place, backend: 'postgres', store: store.url } }),
    }),
  ),
  {
    name: 'replay-held-up',
    about: 'replay is paused on one standby and held up by a query on the other; then the primary is killed',
    async happen({ cluster, struck }) {
      const reader = new pg.Client({ connectionString: cluster.members.get('standby1')!.url });
      reader.on('error', () => {});
      await reader.connect();
      await cluster.tell('standby0', 'SELECT pg_wal_replay_pause()');
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await reader.query('SELECT count(*) FROM item');
      // What the query reads is cleaned up on the primary: replay waits for its end
      await cluster.tell(
        primary,
        'DELETE FROM item WHERE writer < 0',
        'VACUUM (FREEZE) item',
        'TRUNCATE spare',
      );
      await cluster.members.get(primary)!.kill();
      struck();
      return () => reader.end().catch(() => {});
    },
  },
  {
    name: 'store-and-primary-killed',
    about: 'the store of the term is killed, then the primary: somebody is promoted once the store is back',
    async happen({ cluster, store, struck }) {
      await store.kill();
      await cluster.members.get(primary)!.kill();
      await new Promise(resolve => setTimeout(resolve, 3_000));
      await store.restart();
      struck();
      return undefined;
    },
  },
  {
    name: 'orchestrator-stopped-at-step',
    about:
      'the primary is killed; who promotes stands still for 6 s before its first step, its second, and so on',
    stopsAtSteps: true,
    async happen({ cluster, processes, struck }) {
      for (const { peer } of processes) peer.process.send('arm');
      await cluster.members.get(primary)!.kill();
      struck();
      const until = performance.now() + 6_000;
      while (performance.now() < until) {
        const stopped = processes.find(({ peer }) => isStopped(peer.process.pid!));
        if (stopped !== undefined) {
          stopped.wasStopped = true;
          for (const each of processes) if (each !== stopped) each.peer.process.send('disarm');
        }
        await new Promise(resolve => setTimeout(resolve, 10));
      }
      for (const { peer } of processes) signal(peer.process.pid!, 'SIGCONT');
      return undefined;
    },
  },
];

async function stall(server: PostgresServer, random: Random): Promise<void> {
  for (let n = 0; n < stalls; n++) {
    signalAll(server, 'SIGSTOP');
    await new Promise(resolve => setTimeout(resolve, 50 + random() * 450));
    signalAll(server, 'SIGCONT');
    await new Promise(resolve => setTimeout(resolve, 20 + random() * 80));
  }
}
