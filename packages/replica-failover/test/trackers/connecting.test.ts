import { startTcpProxy } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/postgres/cluster.ts';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { OutcomeUnknownError, ReplicaSet } from '../../src/index.ts';

/** What users have reported of connections that are not made, or not answered. Each test names the report. */

describe('connections to PostgreSQL', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  const portOf = async (db: pg.Client) => Number((await db.query('SHOW port')).rows[0].port);

  it('a standby that makes no more, while those that it has go on, fails no read (patroni/patroni 1371)', async () => {
    await using set = await ReplicaSet.connect({ servers: cluster.servers(), timeoutMs: 60_000 });
    await expect.poll(() => set.snapshot().servers.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    await set.write(portOf);
    for (const id of ['standby0', 'standby1']) {
      const standby = cluster.members.get(id)!;
      standby.signal('SIGSTOP'); // the postmaster alone, which makes the connections
      onTestFinished(() => standby.signal('SIGCONT'));
    }
    const reads = Array.from({ length: 5 }, () => set.read(portOf, { consistency: 'eventual' }));
    expect(new Set(await Promise.all(reads))).toEqual(new Set([cluster.members.get('postgres')!.port]));
    expect(set.snapshot().servers.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
  });

  it('a statement that is never answered ends with its call, and the next call has another connection (brianc/node-postgres 2973, 3399)', async () => {
    const { url, port } = cluster.members.get('postgres')!;
    const way = await startTcpProxy({ target: port });
    onTestFinished(() => way.stop());
    const servers = postgresServers({
      servers: [{ id: 'one', connection: url.replace(`:${port}/`, `:${way.port}/`) }],
      newClient: (connectionString: string) => new pg.Client({ connectionString }),
    });
    await using set = await ReplicaSet.connect({ servers, maxConnections: 1, timeoutMs: 50_000 });
    const lost = set.write(
      async db => {
        await portOf(db);
        way.stall('present');
        return portOf(db);
      },
      { timeoutMs: 5_000 },
    );
    await expect(lost).rejects.toThrow(OutcomeUnknownError);
    expect(await set.write(portOf)).toBe(port);
  });

  it('standbys that are dead fail no read (sequelize/sequelize 8832, 13944, civitai/civitai 2422)', async () => {
    await using set = await ReplicaSet.connect({ servers: cluster.servers(), timeoutMs: 50_000 });
    await expect.poll(() => set.snapshot().servers.map(({ state }) => state)).toEqual(['up', 'up', 'up']);
    const primary = cluster.members.get('postgres')!.port;
    const reads = () =>
      Promise.all(Array.from({ length: 5 }, () => set.read(portOf, { consistency: 'eventual' })));
    await reads();
    await cluster.members.get('standby0')!.kill();
    expect(new Set(await reads())).not.toContain(cluster.members.get('standby0')!.port);
    await cluster.members.get('standby1')!.kill();
    expect(new Set(await reads())).toEqual(new Set([primary]));
  });
});
