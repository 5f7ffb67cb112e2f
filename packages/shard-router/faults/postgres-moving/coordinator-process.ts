import { postgresStore } from '@ashlar/store/postgres';
import pg from 'pg';
import { postgresMoves } from '../../src/adapters/postgres.ts';
import { Mover } from '../../src/moves/mover.ts';
import type { MoveRequest } from '../../src/moves/planner.ts';
import { worked } from '../moving/coordinating.ts';
import { copyShare, limits } from '../moving/limits.ts';
import { type Settings, tables } from './roles.ts';

const { shards, store, request } = JSON.parse(process.argv[2]!) as Settings & {
  readonly request: MoveRequest;
};

const pool = new pg.Pool({ connectionString: store });
pool.on('error', () => {});
const backend = postgresMoves({
  shards: Object.fromEntries(
    Object.entries(shards).map(([name, { urls, replication }]) => [
      name,
      { client: () => primaryOf(urls), replication },
    ]),
  ),
  ...(copyShare !== undefined && { copyShare }),
});
const mover = new Mover({
  backend,
  store: postgresStore({ pool }),
  tables,
  ...limits,
});
await worked(mover, request);
await backend.close();

/** A client of who is the primary now, or of the first where nobody says so. */
async function primaryOf(urls: readonly string[]): Promise<pg.Client> {
  const clientOf = (url: string) => new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  if (urls.length > 1) {
    for (const url of urls) {
      const client = clientOf(url);
      client.on('error', () => {});
      try {
        await client.connect();
        const { rows } = await client.query('SELECT pg_is_in_recovery() AS is');
        if (!rows[0].is) return clientOf(url);
      } catch {
        // It is not there
      } finally {
        await client.end().catch(() => {});
      }
    }
  }
  return clientOf(urls[0]!);
}
