import type pg from 'pg';
import type { Cluster } from './cluster.ts';
import { startPostgresServers } from './postgres-servers.ts';
import { type OrderBook, SetShop } from './set-shop.ts';

const book: OrderBook<pg.Client> = {
  by: 'transaction',
  add: (client, order) => client.query('INSERT INTO orders VALUES ($1)', [order]),
  async has(client, order) {
    const { rowCount } = await client.query('SELECT 1 FROM orders WHERE number = $1', [order]);
    return rowCount === 1;
  },
  async all(client) {
    const { rows } = await client.query<{ number: number }>('SELECT number FROM orders');
    return rows.map(({ number }) => number);
  },
};

/** Servers of PostgreSQL, which the shop leads. */
export async function startPostgresCluster(): Promise<Cluster> {
  const servers = await startPostgresServers(['CREATE TABLE orders (number int PRIMARY KEY)']);
  const { ids, server } = servers;
  return {
    title: 'PostgreSQL',
    ids,
    async connect() {
      return new SetShop(await servers.connect(), book);
    },
    kill: id => server(id).kill(),
    stop: async id => server(id).pause(),
    resume: async id => server(id).resume(),
    start: id => server(id).restart(),
    pauseReplay: id => servers.tell(id, 'SELECT pg_wal_replay_pause()'),
    resumeReplay: id => servers.tell(id, 'SELECT pg_wal_replay_resume()'),
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  };
}
