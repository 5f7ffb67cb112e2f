import { memoryStore } from '@ashlar/store';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { leading, ReplicaSet, WrongServersError } from '../../src/index.ts';

describe('servers of PostgreSQL that do not belong together', () => {
  let ours: Postgres;
  let others: Postgres;
  beforeAll(async () => {
    [ours, others] = await Promise.all([startPostgres({ standbys: 1 }), startPostgres({ standbys: 2 })]);
  });
  afterAll(async () => {
    await Promise.all([ours.stop(), others.stop()]);
  });

  const servers = (all: Record<string, string>) =>
    postgresServers({
      servers: Object.entries(all).map(([id, connection]) => ({ id, connection, replication: 'host=x' })),
      newClient: (connectionString: string) => new pg.Client({ connectionString }),
    });
  // Which server belongs to the others is known of those that answer in time
  const patiently = { heartbeat: { deadlineMs: 20_000 }, timeoutMs: 50_000 };
  const connect = (all: Record<string, string>) =>
    ReplicaSet.connect({ servers: servers(all), ...patiently });
  const urls = () => [ours.url, ours.standbys[0]!.url, ...others.standbys.map(({ url }) => url)] as const;

  it('are refused at connect: standbys of another cluster, whether they are more or fewer', async () => {
    const [primary, standby, ...strange] = urls();
    await expect(connect({ a: primary, b: standby, c: strange[0]! })).rejects.toThrow(WrongServersError);
    await expect(connect({ a: primary, c: strange[0]!, d: strange[1]! })).rejects.toThrow(
      /is of another cluster than/,
    );
    await expect(connect({ b: standby, c: strange[0]! })).rejects.toThrow(WrongServersError);
  });

  it('are refused at connect: one server under two addresses', async () => {
    const [primary, standby] = urls();
    const twice = primary.replace('127.0.0.1', 'localhost');
    await expect(connect({ a: primary, b: standby, again: twice })).rejects.toThrow(/are one server/);
    await expect(connect({ a: primary, b: standby, again: standby })).rejects.toThrow(/are one server/);
  });

  it('are refused before a set that leads has changed a setting of them', async () => {
    await using store = memoryStore();
    const [primary, standby, strange] = urls();
    const all = servers({ a: primary, b: standby, c: strange! });
    const set = ReplicaSet.connect({ servers: all, authority: leading({ store }), ...patiently });
    await expect(set).rejects.toThrow(WrongServersError);
    const client = new pg.Client({ connectionString: primary });
    await client.connect();
    const { rows } = await client.query("SELECT name FROM pg_file_settings WHERE name LIKE 'ashlar%'");
    await client.end();
    expect(rows).toEqual([]);
  });
});
