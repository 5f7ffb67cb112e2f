import { sleep } from '@ashlar/core';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { postgresServers } from '../src/adapters/postgres.ts';
import { ReplicaSet, type ReplicaSetOptions } from '../src/index.ts';

/** A primary with a standby, a set over both, and a pool of each as a program without the set has it. */
export interface Place extends AsyncDisposable {
  readonly set: ReplicaSet<pg.Client>;
  readonly primary: pg.Pool;
  readonly standby: pg.Pool;
}

export async function startPlace(
  newClient: (connectionString: string) => pg.Client = connectionString =>
    new pg.Client({ connectionString }),
  options: Partial<ReplicaSetOptions<pg.Client>> = {},
): Promise<Place> {
  const server: Postgres = await startPostgres({ standbys: 1 });
  const urls = { postgres: server.url, standby0: server.standbys[0]!.url };
  const servers = postgresServers({
    servers: Object.entries(urls).map(([id, connection]) => ({ id, connection })),
    newClient,
  });
  const set = await ReplicaSet.connect({ servers, ...options });
  while (set.snapshot().servers.some(({ state }) => state !== 'up')) await sleep(5);
  const primary = new pg.Pool({ connectionString: urls.postgres });
  const standby = new pg.Pool({ connectionString: urls.standby0 });
  return {
    set,
    primary,
    standby,
    async [Symbol.asyncDispose]() {
      await Promise.all([set.close(), primary.end(), standby.end()]);
      await server.stop();
    },
  };
}
