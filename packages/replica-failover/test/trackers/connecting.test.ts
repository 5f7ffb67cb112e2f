import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type PostgresCluster, startCluster } from '../../faults/cluster.ts';
import { ReplicaSet } from '../../src/index.ts';

/** What users have reported of servers that answer on the connections they have, and make no more. */

describe('a server of PostgreSQL that makes no more connections, while those that it has go on', () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  const portOf = async (db: pg.Client) => Number((await db.query('SHOW port')).rows[0].port);

  it('fails no read that another can serve (patroni/patroni 1371)', async () => {
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
});
