import type { Random } from '@ashlar/core';
import { type PostgresServer, signal } from '@workspace/services';
import pg from 'pg';
import { type Kind, kindsOf, primaryKilled } from '../kinds.ts';
import { isStopped } from '../switchover.ts';
import { type PostgresCluster, signalAll } from './cluster.ts';

export const primary = 'postgres';
const stalls = 200;

export interface PostgresKind extends Kind<PostgresCluster> {
  /** Whether one of the processes stops itself at the step of a promotion that the run has the number of. */
  readonly stopsAtSteps?: boolean;
  /** How many runs there are unless more or fewer are asked for. Default: 20. */
  readonly usualRuns?: number;
}

export const kinds: readonly PostgresKind[] = [
  primaryKilled(primary),
  ...kindsOf({
    backend: 'postgres',
    primary,
    replica: 'standby0',
    servers: (cluster: PostgresCluster) => cluster.servers(),
  }),
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
