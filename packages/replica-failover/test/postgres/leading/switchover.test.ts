import pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { type PostgresCluster, startCluster } from '../../../faults/postgres/cluster.ts';
import { type LeadingOptions, NoStandbyError, type ReplicaSet } from '../../../src/index.ts';
import { ledServers } from '../../led.ts';

// Each moves the primary, so each has a cluster of its own
describe('switchover over PostgreSQL, where the set leads', () => {
  const led = ledServers(async () => {
    const cluster = await startCluster();
    await cluster.tell('postgres', 'CREATE TABLE item (writer int, n int)');
    return cluster;
  });
  let cluster: PostgresCluster;
  beforeEach(() => {
    cluster = led.servers;
  });
  const connect = (options?: Partial<LeadingOptions>) => led.connect({ servers: cluster.servers() }, options);
  const server = (set: ReplicaSet<pg.Client>, id: string) =>
    set.snapshot().servers.find(each => each.id === id);

  it('hands over while two processes write and read, without an error, and loses nothing', async () => {
    const both = [await connect(), await connect()];
    const counts = [0, 0];
    let isOver = false;
    const insert = (writer: number, n: number) => (db: pg.Client) =>
      db.query('INSERT INTO item VALUES ($1, $2)', [writer, n]);
    const writers = both.map(async (set, writer) => {
      while (!isOver) {
        const n = counts[writer]!++;
        if (n % 3 === 0) await set.transaction(insert(writer, n));
        else if (n % 3 === 1) await set.write(insert(writer, n));
        else {
          // Statements that commit one by one, which the pause must not part
          await set.write(async db => {
            await insert(writer, n)(db);
            await db.query('SELECT 1');
            await db.query('UPDATE item SET n = n WHERE writer = $1 AND n = $2', [writer, n]);
          });
        }
        const { rows } = await set.read(
          db => db.query('SELECT count(*)::int AS count FROM item WHERE writer = $1', [writer]),
          { consistency: n % 2 === 0 ? 'strong' : undefined },
        );
        expect(rows[0].count).toBe(counts[writer]);
      }
    });
    await expect.poll(() => Math.min(...counts), { timeout: 60_000 }).toBeGreaterThan(20);
    const report = await both[0]!.switchover({ to: 'standby1' });
    expect(report).toMatchObject({ from: 'postgres', to: 'standby1', term: 2, before: 'fenced' });
    const then = Math.min(...counts);
    await expect.poll(() => Math.min(...counts), { timeout: 60_000 }).toBeGreaterThan(then + 20);
    isOver = true;
    await Promise.all(writers);
    const { rows } = await both[1]!.read(db => db.query('SELECT count(*)::int AS count FROM item'));
    expect(rows[0].count).toBe(counts[0]! + counts[1]!);
    await expect.poll(() => server(both[1]!, 'postgres')).toMatchObject({ role: 'primary', isFenced: true });
  });

  it('ends a transaction that takes too long, which runs again on the new primary', async () => {
    const set = await connect();
    let runs = 0;
    let goOn = () => {};
    const slow = set.transaction(async db => {
      runs++;
      await db.query('INSERT INTO item VALUES (0, $1)', [runs]);
      if (runs > 1) return;
      await new Promise<void>(resolve => {
        goOn = resolve;
      });
      await db.query('SELECT 1');
    });
    await expect.poll(() => runs).toBe(1);
    await set.switchover();
    goOn();
    await slow;
    const { rows } = await set.read(db => db.query('SELECT n FROM item'));
    expect(rows).toEqual([{ n: 2 }]);
  });

  it('hands over again, though the first primary was never rewound, when nobody has to be left to acknowledge', async () => {
    const set = await connect({ allowLoss: true });
    const careful = await connect();
    await set.switchover({ to: 'standby0' });
    await expect.poll(() => careful.snapshot().term).toBe(2);
    await expect(careful.switchover({ to: 'standby1' })).rejects.toThrow(/^0 standbys would be left/);
    await set.write(db => db.query('INSERT INTO item VALUES (0, 0)'));
    await set.switchover({ to: 'standby1' });
    expect(set.snapshot()).toMatchObject({ primary: 'standby1', term: 4 });
    // Both earlier ones are fenced now: nobody is left to acknowledge
    await expect.poll(() => set.snapshot().leading?.warnings).not.toEqual([]);
    const alone = set.write(db => db.query('INSERT INTO item VALUES (0, 1)'), { timeoutMs: 1_000 });
    await expect(alone).rejects.toThrow(NoStandbyError);
    const { rows } = await set.read(db => db.query('SELECT n FROM item WHERE n = 0'));
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('rewinds the primary of before through its hooks; it follows, and may lead again', async () => {
    const set = await connect({ members: cluster.hooks });
    expect((await set.switchover({ to: 'standby1' })).before).toBe('rejoins');
    await set.write(db => db.query('INSERT INTO item VALUES (0, 0)'));
    const old = () => server(set, 'postgres');
    await expect.poll(old, { timeout: 30_000 }).toMatchObject({ state: 'up', role: 'replica' });
    await expect.poll(() => set.snapshot().leading?.notes).toEqual({});
    await set.switchover({ to: 'postgres' });
    await set.write(db => db.query('INSERT INTO item VALUES (0, 1)'));
    const { rows } = await set.read(db => db.query('SELECT n FROM item ORDER BY n'));
    expect(rows).toEqual([{ n: 0 }, { n: 1 }]);
    await expect.poll(() => server(set, 'standby1'), { timeout: 30_000 }).toMatchObject({ role: 'replica' });
  });

  it('a standby that was detached still knows the timeline that it was on', async () => {
    const set = await connect();
    await set.switchover({ to: 'standby0' });
    await expect.poll(() => server(set, 'standby1')?.position?.term).toBe(2);
    const standby = cluster.servers().find(({ id }) => id === 'standby1')!;
    const administration = await standby.administer!(9, new AbortController().signal);
    expect((await administration.detach(new AbortController().signal)).term).toBe(2);
    await administration[Symbol.asyncDispose]();
    await standby[Symbol.asyncDispose]();
  });

  it('is taken back when the candidate does not get all, and a session that was open before is ended', async () => {
    const set = await connect();
    const other = new pg.Client({ connectionString: cluster.members.get('postgres')!.url });
    other.on('error', () => {});
    await other.connect();
    await cluster.tell('standby1', 'SELECT pg_wal_replay_pause()');
    await set.write(db => db.query('INSERT INTO item VALUES (0, 0)'));
    await expect(set.switchover({ to: 'standby1' })).rejects.toThrow(/has not got all that postgres has/);
    await expect(other.query('SELECT 1')).rejects.toThrow();
    await set.write(db => db.query('INSERT INTO item VALUES (0, 1)'));
    expect(set.snapshot()).toMatchObject({ primary: 'postgres', term: 2 });
    await cluster.tell('standby1', 'SELECT pg_wal_replay_resume()');
  });
});
