import type { Random } from '@ashlar/core';
import { postgresStore } from '@ashlar/store/postgres';
import type { Postgres, TcpProxy } from '@workspace/services';
import pg from 'pg';
import { leading, ReplicaSet, type Server } from '../src/index.ts';
import { killStore, stopOne } from './strikes.ts';
import { fates, handOver, type SwitchoverSettings, switchoverMs } from './switchover.ts';
import type { Traffic } from './traffic.ts';
import type { WriterSettings } from './writer.ts';

/** What a kind finds in which it happens: servers, of which the set has a view of its own. */
export interface Place<C> {
  readonly cluster: C;
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

export interface Kind<C> {
  readonly name: string;
  readonly about: string;
  /** Whether all that goes to the primary goes through a proxy. */
  readonly isProxied?: boolean;
  /** Whether writes only wait: then the slowest counts. */
  readonly isPlanned?: boolean;
  /** Whether nobody is to be promoted. */
  readonly keepsPrimary?: boolean;
  /** Milliseconds without writes that no run may exceed where the set leads, on a machine that has nothing else to do. */
  readonly withinMs?: number;
  /** Lets it happen. Resolves with what brings back to life what stands still, or with what was done. */
  happen(place: Place<C>): Promise<(() => Promise<void> | void) | string | undefined>;
}

interface Members {
  readonly members: ReadonlyMap<string, { kill(): Promise<void> }>;
}

export interface Backend<C, Client> {
  readonly backend: SwitchoverSettings['backend'];
  /** Their names among the members. */
  readonly primary: string;
  readonly replica: string;
  /** For a process that hands over. */
  servers(cluster: C): readonly Server<Client>[];
}

/** What happens to the primary of every backend, whose set leads. */
export function primaryKilled<C extends Members>(primary: string): Kind<C> {
  return {
    name: 'primary-killed',
    about: 'the primary is killed under load: another is promoted',
    withinMs: 1_500,
    async happen({ cluster, struck }) {
      await cluster.members.get(primary)!.kill();
      struck();
      return undefined;
    },
  };
}

/** What happens where the set leads, whatever its servers are. */
export function kindsOf<C extends Members, Client>(of: Backend<C, Client>): readonly Kind<C>[] {
  const { backend, primary, replica } = of;
  return [
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
      about: 'a replica is killed: nobody is promoted, and writes go on',
      keepsPrimary: true,
      async happen({ cluster, struck }) {
        await cluster.members.get(replica)!.kill();
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
      name: 'switchover',
      about: 'a third process hands over on purpose',
      isPlanned: true,
      withinMs: 200,
      async happen({ cluster, store, set: name, struck }) {
        const pool = new pg.Pool({ connectionString: store.url });
        const authority = leading({ store: postgresStore({ pool }) });
        const set = await ReplicaSet.connect({ name, authority, servers: of.servers(cluster) });
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
      (signal): Kind<C> => ({
        name: `switchover-${signal === 'SIGKILL' ? 'killed' : 'stopped'}`,
        about: `a third process hands over, and ${fates[signal]} at some step of that`,
        isPlanned: true,
        withinMs: switchoverMs,
        happen: ({ store, ...place }) =>
          handOver({ ...place, signal, settings: { ...place, backend, store: store.url } }),
      }),
    ),
  ];
}
