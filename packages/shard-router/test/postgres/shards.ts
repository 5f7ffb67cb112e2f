import { memoryStore } from '@ashlar/store';
import { type Postgres, type PostgresOptions, startPostgres } from '@workspace/services';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import type { CopyPace } from '../../src/adapters/postgres/moves/following/throttle.ts';
import { PostgresMoves } from '../../src/adapters/postgres/moves/postgres-moves.ts';
import { Slots } from '../../src/keys/slots.ts';
import { firstMap } from '../../src/map/first-map.ts';
import { Maps } from '../../src/map/maps.ts';
import type { MoveBackend, MoveContext, MoveSpec } from '../../src/moves/move-backend.ts';
import { Mover } from '../../src/moves/mover.ts';
import type { MoverOptions } from '../../src/moves/mover-options.ts';
import { createTables, tables } from './tables.ts';

export { createTables, tables } from './tables.ts';

const slots = new Slots('text', 1024);

/** Two real servers with the same tables, as the shards `one` and `two`. */
export interface TwoShards extends AsyncDisposable {
  /** For the statements of a test. */
  readonly one: pg.Client;
  readonly two: pg.Client;
  readonly servers: readonly [Postgres, Postgres];
  connect(shard: 'one' | 'two'): Promise<pg.Client>;
  /** Of a process of its own, as far as the databases see. */
  /** At full speed without a pace. */
  moves(pace?: CopyPace): PostgresMoves;
}

/** @param second of the server of `two`, where that is another */
export async function twoShards(
  options: PostgresOptions = {},
  second: PostgresOptions = options,
): Promise<TwoShards> {
  const servers = [
    await startPostgres({ own: true, ...options }),
    await startPostgres({ own: true, ...second }),
  ] as const;
  const clients: pg.Client[] = [];
  const urls = { one: servers[0].url, two: servers[1].url };
  const connect = async (shard: 'one' | 'two') => {
    const client = new pg.Client({ connectionString: urls[shard] });
    client.on('error', () => {});
    await client.connect();
    clients.push(client);
    return client;
  };
  const one = await connect('one');
  const two = await connect('two');
  for (const client of [one, two]) await client.query(createTables);
  const admin = (at: 0 | 1) => ({
    client: () => new pg.Client({ connectionString: servers[at].url }),
    replication: `host=127.0.0.1 port=${servers[at].port} user=postgres dbname=postgres`,
  });
  const all: PostgresMoves[] = [];
  return {
    one,
    two,
    servers,
    connect,
    moves(pace = { share: 1 }) {
      const moves = new PostgresMoves({ one: admin(0), two: admin(1) }, pace);
      all.push(moves);
      return moves;
    },
    async [Symbol.asyncDispose]() {
      for (const each of all) await each.close();
      for (const client of clients) await client.end().catch(() => {});
      for (const server of servers) await server.stop();
    },
  };
}

/** A mover of the two shards, of which `one` has the lower half of the slots. Quick, and closed with the test. */
export async function moverOf(backend: MoveBackend, more: Partial<MoverOptions> = {}): Promise<Mover> {
  const store = memoryStore();
  onTestFinished(() => store.close());
  await new Maps(store, 'shards').readOr(firstMap('text', 1024, ['one', 'two']));
  const mover = new Mover({ backend, store, tables, steadyMs: 0, leaseMs: 1_000, ...more });
  onTestFinished(() => mover.close());
  return mover;
}

export function lowerHalf(id: string): MoveSpec {
  const slices = [{ from: 0, to: 512 }];
  return { id, router: 'shards', from: 'one', to: 'two', slices, key: 'text', slots: 1024, tables };
}

export function backwards(move: MoveSpec): MoveSpec {
  return { ...move, from: move.to, to: move.from };
}

export function context(token = 1n, signal: AbortSignal = AbortSignal.timeout(60_000)): MoveContext {
  return { token, signal, progress: () => {} };
}

/** Names whose slots are in the lower half, or in the upper. */
export function names(count: number, half: 'lower' | 'upper'): string[] {
  const found: string[] = [];
  for (let i = 0; found.length < count; i++) {
    const name = `customer ${i}`;
    if (slots.of(name) < 512 === (half === 'lower')) found.push(name);
  }
  return found;
}

export async function fill(
  client: pg.Client,
  customers: readonly string[],
  purchases: number,
): Promise<void> {
  await client.query('INSERT INTO customer SELECT id, upper(id) FROM unnest($1::text[]) id', [customers]);
  await client.query(
    `INSERT INTO purchase (customer, total, note) SELECT c, p * 1.25, jsonb_build_object('n', p)
     FROM unnest($1::text[]) c, generate_series(1, $2) p`,
    [customers, purchases],
  );
}

export async function counts(client: pg.Client): Promise<{ customers: number; purchases: number }> {
  const { rows } = await client.query(
    'SELECT (SELECT count(*)::int FROM customer) AS customers, (SELECT count(*)::int FROM purchase) AS purchases',
  );
  return rows[0];
}
