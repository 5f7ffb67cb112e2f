import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  childrenOf,
  otherUser,
  type Postgres,
  type PostgresServer,
  providePath,
  signal,
  startPostgres,
} from '@workspace/services';
import pg from 'pg';
import { postgresServers } from '../../src/adapters/postgres.ts';
import type { MemberHooks } from '../../src/index.ts';

const run = promisify(execFile);

const config = {
  // For pg_rewind
  wal_log_hints: true,
  full_page_writes: true,
  wal_retrieve_retry_interval: '100ms',
  synchronous_standby_names: 'ANY 1 (standby0, standby1)',
};

/** A primary with two standbys, and the servers that a set has of them. */
export interface PostgresCluster {
  readonly members: ReadonlyMap<string, PostgresServer>;
  servers(options?: { readonly outcomes?: string }): ReturnType<typeof postgresServers<pg.Client, string>>;
  /** Runs statements at a server, one after the other, each by itself. */
  tell(id: string, ...statements: string[]): Promise<void>;
  /** As an operator would, when the primary is dead: the standby that has more, which the other follows. */
  promoteMostAdvanced(): Promise<void>;
  /** What `leading` needs to rewind a primary of before. */
  readonly hooks: Readonly<Record<string, MemberHooks>>;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<PostgresCluster> {
  const primary: Postgres = await startPostgres({ standbys: 2, config });
  const members = new Map<string, PostgresServer>([
    ['postgres', primary],
    ...primary.standbys.map((each, index) => [`standby${index}`, each] as const),
  ]);
  const tell = async (id: string, ...statements: string[]) => {
    const client = new pg.Client({ connectionString: members.get(id)!.url });
    client.on('error', () => {});
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end().catch(() => {});
    }
  };
  const promoteMostAdvanced = async () => {
    const ids = ['standby0', 'standby1'];
    const lsns: bigint[] = [];
    for (const id of ids) {
      const client = new pg.Client({ connectionString: members.get(id)!.url });
      await client.connect();
      const { rows } = await client.query("SELECT (pg_last_wal_receive_lsn() - '0/0')::text AS bytes");
      lsns.push(BigInt(rows[0].bytes));
      await client.end();
    }
    const [next, other] = lsns[0]! >= lsns[1]! ? ids : ids.reverse();
    const conninfo = `host=127.0.0.1 port=${members.get(next!)!.port} user=postgres application_name=${other}`;
    await tell(
      next!,
      `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${other})'`,
      'SELECT pg_reload_conf()',
      'SELECT pg_promote()',
    );
    await tell(other!, `ALTER SYSTEM SET primary_conninfo = '${conninfo}'`, 'SELECT pg_reload_conf()');
  };
  const hooks = (server: PostgresServer): MemberHooks => ({
    stop: () => server.kill(),
    async rewind({ id, primary }) {
      // The source's control file must name its timeline
      await tell(primary, 'CHECKPOINT');
      await rewind(server, members.get(primary)!, id);
    },
    start: () => server.restart(),
  });
  return {
    members,
    hooks: Object.fromEntries([...members].map(([id, server]) => [id, hooks(server)])),
    tell,
    promoteMostAdvanced,
    servers: options =>
      postgresServers({
        ...options,
        servers: [...members].map(([id, { url, port }]) => ({
          id,
          connection: url,
          replication: `host=127.0.0.1 port=${port} user=postgres`,
        })),
        newClient: (connectionString: string) => new pg.Client({ connectionString }),
      }),
    stop: () => primary.stop(),
  };
}

/** As an operator would: what only the target has is gone, and it is a standby of the source. */
async function rewind(target: PostgresServer, source: PostgresServer, name: string): Promise<void> {
  const tools = dirname(realpathSync(await providePath('postgres')));
  const user = otherUser('postgres', 'nobody');
  const from = `host=127.0.0.1 port=${source.port} user=postgres dbname=postgres application_name=${name}`;
  const how = [`--target-pgdata=${join(target.directory, 'data')}`, `--source-server=${from}`];
  await run(join(tools, 'pg_rewind'), [...how, '--write-recovery-conf', '--no-sync'], {
    cwd: '/',
    ...(user && { uid: user.uid, gid: user.gid }),
  });
}

/** The postmaster first, so that it has no more children meanwhile. */
export function signalAll({ pid }: PostgresServer, name: NodeJS.Signals): void {
  for (const each of [pid, ...childrenOf(pid)]) signal(each, name);
}
