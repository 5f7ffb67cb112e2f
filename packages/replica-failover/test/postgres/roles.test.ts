import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { startCluster } from '../../faults/postgres/cluster.ts';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { PositionLostError, ReplicaSet, Session } from '../../src/index.ts';

it('a role without any right but to its tables writes, and reads at every level; what a promotion may have lost it is told', async () => {
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  await cluster.tell(
    'postgres',
    'CREATE ROLE app LOGIN',
    'CREATE TABLE item (id int)',
    'GRANT SELECT, INSERT ON item TO app',
  );
  const servers = [...cluster.members].map(([id, { url }]) => ({
    id,
    connection: url.replace('//postgres@', '//app@'),
  }));
  const newClient = (connectionString: string) => new pg.Client({ connectionString });
  await using set = await ReplicaSet.connect({
    servers: postgresServers({ servers, newClient }),
    heartbeat: { intervalMs: 20 },
  });
  const session = new Session();
  await set.write(db => db.query('INSERT INTO item VALUES (1)'), { session });
  await set.transaction(db => db.query('INSERT INTO item VALUES (2)'), { session });
  const count = async (db: pg.Client) => {
    const { rows } = await db.query('SELECT count(*)::int AS n, current_user AS who FROM item');
    return rows[0] as { n: number; who: string };
  };
  for (const consistency of ['session', 'monotonic', 'strong', { maxStalenessMs: 60_000 }] as const) {
    expect(await set.read(count, { session, consistency })).toEqual({ n: 2, who: 'app' });
  }
  // With replicas that have it, and then without the primary
  await expect.poll(() => set.snapshot().servers.filter(({ role }) => role === 'replica').length).toBe(2);
  const positions = () => set.snapshot().servers.map(({ position }) => BigInt(position?.offset ?? -1));
  await expect.poll(() => positions().every(each => each >= positions()[0]!)).toBe(true);
  await cluster.members.get('postgres')!.kill();
  expect(await set.read(count, { session })).toEqual({ n: 2, who: 'app' });

  await cluster.tell(
    'standby0',
    "ALTER SYSTEM SET synchronous_standby_names = ''",
    'SELECT pg_reload_conf()',
    'SELECT pg_promote()',
  );
  const before = session.position(set.name) as { term: number; offset: bigint };
  await set.write(db => db.query('INSERT INTO item VALUES (3)'), { session });
  // What the session has seen was seen on the server that was promoted, so it is known to be there
  expect((await set.read(count, { session })).n).toBe(3);
  const further = new Session();
  further.advance(set.name, { ...before, offset: before.offset + 1_000_000n });
  await expect(set.read(count, { session: further })).rejects.toThrow(PositionLostError);
});
