import { memoryStore } from '@ashlar/store';
import type pg from 'pg';
import { type PostgresCluster, signalAll, startCluster } from '../../faults/postgres/cluster.ts';
import type { Subject } from '../../src/conformance.ts';
import { leading, ReplicaSet } from '../../src/index.ts';

/** The cluster of tests that leave it as it was; one that is not is replaced. */
let shared: PostgresCluster | undefined;

export async function endShared(): Promise<void> {
  await shared?.stop();
  shared = undefined;
}

export interface PostgresSubject extends Subject<pg.Client> {
  urlOf(id: string): string;
}

export async function postgresSubject(): Promise<PostgresSubject> {
  shared ??= await startCluster();
  const cluster = shared;
  const ids = [...cluster.members.keys()];
  const sets: AsyncDisposable[] = [];
  const stopped = new Set<string>();
  let isSpent = false;
  await cluster.tell(
    'postgres',
    'CREATE TABLE IF NOT EXISTS item (key text PRIMARY KEY, value text)',
    'DELETE FROM item',
    'CREATE TABLE IF NOT EXISTS outcome (id uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
  );
  const server = (id: string) => cluster.members.get(id)!;
  const store = memoryStore();
  const connect: Subject<pg.Client>['connect'] = async options => {
    const set = await ReplicaSet.connect({ servers: cluster.servers({ outcomes: 'outcome' }), ...options });
    sets.push(set);
    return set;
  };
  return {
    ids,
    urlOf: id => server(id).url,
    connect,
    lead() {
      isSpent = true;
      return connect({ authority: leading({ store, drainMs: 500 }) });
    },
    put: (client, key, value) =>
      client.query('INSERT INTO item VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2', [
        key,
        value,
      ]),
    async get(client, key) {
      const { rows } = await client.query<{ value: string }>('SELECT value FROM item WHERE key = $1', [key]);
      return rows[0]?.value;
    },
    async kill(id) {
      isSpent = true;
      await server(id).kill();
    },
    start: id => server(id).restart(),
    async stop(id) {
      stopped.add(id);
      signalAll(server(id), 'SIGSTOP');
    },
    async resume(id) {
      stopped.delete(id);
      signalAll(server(id), 'SIGCONT');
    },
    pauseReplay: id => cluster.tell(id, 'SELECT pg_wal_replay_pause()'),
    resumeReplay: id => cluster.tell(id, 'SELECT pg_wal_replay_resume()'),
    async promote(id) {
      isSpent = true;
      const others = ids.filter(each => each !== id && each !== 'postgres');
      const names = others.map(each => `"${each}"`).join(', ');
      await cluster.tell(
        id,
        `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${names})'`,
        'SELECT pg_reload_conf()',
        'SELECT pg_promote()',
      );
      for (const other of others) {
        const conninfo = `host=127.0.0.1 port=${server(id).port} user=postgres application_name=${other}`;
        await cluster.tell(
          other,
          `ALTER SYSTEM SET primary_conninfo = '${conninfo}'`,
          'SELECT pg_reload_conf()',
        );
      }
    },
    async holdAcknowledgments() {
      isSpent = true;
      await cluster.tell(
        'postgres',
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        'SELECT pg_reload_conf()',
      );
    },
    async [Symbol.asyncDispose]() {
      for (const id of stopped) signalAll(server(id), 'SIGCONT');
      for (const set of sets) await set[Symbol.asyncDispose]();
      await store.close();
      if (isSpent) return endShared();
      for (const id of ids.slice(1)) await cluster.tell(id, 'SELECT pg_wal_replay_resume()');
    },
  };
}
