import { childrenOf, type PostgresServer, signal, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { postgresMoves } from '../../../../src/adapters/postgres.ts';
import type { MoveBackend } from '../../../../src/moves/move-backend.ts';
import { counts, createTables, fill, moverOf, names } from '../../shards.ts';

const lower = names(20, 'lower');
const upper = names(5, 'upper');
const config = { wal_retrieve_retry_interval: '100ms', synchronous_standby_names: 'standby0' };

/** A server with a synchronous standby, which can take its place. */
async function replicated() {
  const server = await startPostgres({ own: true, standbys: 1, config });
  onTestFinished(() => server.stop());
  const standby = server.standbys[0]!;
  let primary: PostgresServer = server;
  return {
    get primary() {
      return primary;
    },
    /** The primary is gone: killed, or it stands still and its connections with it. */
    async failover(how: 'killed' | 'stopped' = 'killed') {
      if (how === 'killed') await server.kill();
      else {
        const all = [server.pid, ...childrenOf(server.pid)];
        for (const pid of all) signal(pid, 'SIGSTOP');
        onTestFinished(() => all.forEach(pid => void signal(pid, 'SIGCONT')));
      }
      await asked(standby, 'SELECT pg_promote()');
      await asked(standby, "ALTER SYSTEM SET synchronous_standby_names = ''");
      await asked(standby, 'SELECT pg_reload_conf()');
      primary = standby;
    },
  };
}

async function asked(server: PostgresServer, statement: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await client.query(statement);
  } finally {
    await client.end();
  }
}

async function countsAt(server: PostgresServer) {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return await counts(client);
  } finally {
    await client.end();
  }
}

const at = ({ port }: PostgresServer) =>
  `host=127.0.0.1 port=${port} user=postgres dbname=postgres connect_timeout=2`;

describe('a shard that fails over in the middle of a move', () => {
  let other: PostgresServer;
  beforeAll(async () => {
    other = await startPostgres({ own: true, config: { wal_retrieve_retry_interval: '100ms' } });
  }, 60_000);
  afterAll(() => other.stop());

  /** Moves the lower half from or to the replicated server, which fails over when a call of the backend begins. */
  async function moved(
    place: Awaited<ReturnType<typeof replicated>>,
    side: 'source' | 'target',
    step: keyof MoveBackend,
    how: 'killed' | 'stopped',
  ) {
    await asked(place.primary, createTables);
    await asked(
      other,
      `DROP TABLE IF EXISTS customer, purchase; DROP SCHEMA IF EXISTS ashlar_shards CASCADE; ${createTables}`,
    );
    const shard = (server: () => PostgresServer) => ({
      client: () => new pg.Client({ connectionString: server().url }),
      replication: () => at(server()),
    });
    const [one, two] =
      side === 'source' ? [() => place.primary, () => other] : [() => other, () => place.primary];
    const source = new pg.Client({ connectionString: one().url });
    await source.connect();
    await fill(source, [...lower, ...upper], 10);
    await source.end();
    const moves = postgresMoves({ shards: { one: shard(one), two: shard(two) } });
    onTestFinished(() => moves.close());
    const isFenced = step === 'drain' || step === 'recheck' || step === 'turn';
    let isDue = true;
    const backend = new Proxy(moves, {
      get: (target, name) => {
        const call = Reflect.get(target, name) as unknown;
        if (typeof call !== 'function') return call;
        return async (...args: unknown[]) => {
          if (name === step && isDue) {
            isDue = false;
            // Acknowledged, so it must arrive
            if (!isFenced)
              await asked(one(), `DELETE FROM purchase WHERE customer = '${lower[0]}' AND id % 2 = 0`);
            const called = how === 'stopped' ? Reflect.apply(call, target, args) : undefined;
            await place.failover(how);
            if (called !== undefined) return called;
          }
          return Reflect.apply(call, target, args);
        };
      },
    });
    const mover = await moverOf(backend, { pauseMs: 5_000 });
    const [{ id }] = (await mover.begin({ kind: 'merge', shards: ['one'], into: 'two' })) as unknown as [
      { id: string },
    ];
    for (let tries = 1; ; tries++) {
      try {
        expect(await mover.run(id).done).toMatchObject({ step: 'committed', to: 'two' });
        break;
      } catch (error) {
        if (tries === 20) throw error;
      }
    }
    expect(isDue).toBe(false);
    expect(await countsAt(two())).toEqual({ customers: 20, purchases: isFenced ? 200 : 195 });
    await asked(two(), "UPDATE customer SET name = 'written at two'");
    expect(await mover.rollback(id)).toMatchObject({ step: 'committed', to: 'one' });
    const { rows } = await asked(one(), `SELECT DISTINCT name FROM customer WHERE id = '${lower[0]}'`);
    expect(rows).toEqual([{ name: 'written at two' }]);
    await mover.finish(id);
    expect((await mover.status()).leaks).toEqual({ one: [], two: [] });
  }

  it.each(['copy', 'drain', 'turn'] as const)(
    'the source, before %s: nothing is missing',
    async step => moved(await replicated(), 'source', step, 'killed'),
    90_000,
  );

  it('the target, before its rows are compared for the last time: nothing is missing', async () => {
    await moved(await replicated(), 'target', 'recheck', 'killed');
  }, 90_000);

  it('the source, and its connections stay open: the move finds out, and goes on at the new one', async () => {
    await moved(await replicated(), 'source', 'lag', 'stopped');
  }, 90_000);
});
