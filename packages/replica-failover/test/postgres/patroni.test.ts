import { type Patroni, startPatroni } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postgresServers } from '../../src/adapters/postgres.ts';
import { patroni } from '../../src/authorities/patroni.ts';
import { FailoverRefusedError, ReplicaSet, Session } from '../../src/index.ts';

describeWith(['postgres', 'etcd', 'patroni'], 'following Patroni', () => {
  let cluster: Patroni;
  let set: ReplicaSet<pg.Client>;
  const headers = { authorization: 'Basic b3BlcmF0b3I6c2VjcmV0' };
  /** What the REST API was asked, each once. */
  let asked: Set<string>;
  beforeEach(async () => {
    cluster = await startPatroni();
    asked = new Set();
    set = await ReplicaSet.connect({
      authority: patroni({
        urls: cluster.members.map(({ api }) => api),
        headers,
        fetch(input, init) {
          const authorization = new Headers(init?.headers).get('authorization');
          asked.add(`${init?.method ?? 'GET'} with ${authorization}`);
          return fetch(input, init);
        },
      }),
      servers: postgresServers({
        servers: cluster.members.map(({ name, url }) => ({ id: name, connection: url })),
        newClient: (connectionString: string) => new pg.Client({ connectionString }),
      }),
      timeoutMs: 50_000,
    });
  });
  afterEach(async () => {
    await set?.close();
    await cluster?.stop();
  });

  const insert = (id: number) => (db: pg.Client) => db.query('INSERT INTO item VALUES ($1)', [id]);
  const ids = async (db: pg.Client) =>
    (await db.query('SELECT id FROM item ORDER BY id')).rows.map(({ id }) => id);

  /** Patroni's standbys are asynchronous: what one has not received dies with its leader. */
  async function receivedBy(standby: string, leader: string) {
    const at = async (name: string, position: string) => {
      const client = new pg.Client(cluster.members.find(each => each.name === name)!.url);
      await client.connect();
      const { rows } = await client.query(`SELECT ${position} - '0/0' AS bytes`).finally(() => client.end());
      return Number(rows[0].bytes);
    };
    const written = await at(leader, 'pg_current_wal_insert_lsn()');
    await expect
      .poll(() => at(standby, 'pg_last_wal_receive_lsn()'), { timeout: 30_000 })
      .toBeGreaterThanOrEqual(written);
  }

  it('hands over on purpose, and goes on when the leader has died', async () => {
    const session = new Session();
    const first = set.snapshot().primary!;
    await set.write(db => db.query('CREATE TABLE item (id int PRIMARY KEY)'), { session });
    await set.transaction(insert(1), { session });

    const other = cluster.members.find(({ name }) => name !== first)!.name;
    const report = await set.switchover({ to: other });
    expect(report).toMatchObject({ from: first, to: other, term: 2 });
    await set.transaction(insert(2), { session });
    expect(await set.read(ids, { session })).toEqual([1, 2]);
    await expect(set.switchover({ to: 'nobody' })).rejects.toThrow(FailoverRefusedError);
    const { authorization } = headers;
    expect(asked).toEqual(new Set([`GET with ${authorization}`, `POST with ${authorization}`]));

    await receivedBy(first, other);
    await cluster.members.find(({ name }) => name === other)!.killAll();
    await expect
      .poll(() => set.snapshot().servers.find(({ id }) => id === other)?.state, { timeout: 30_000 })
      .toBe('down');
    await set.transaction(insert(3), { session });
    expect(set.snapshot().primary).not.toBe(other);
    expect(await set.read(ids, { session })).toContain(3);
  }, 120_000);
});

describe('the options of Patroni', () => {
  it('are refused when they cannot be', () => {
    expect(() => patroni({} as never)).toThrow('`urls` is required');
    expect(() => patroni({ urls: ['http://a'], url: 1 } as never)).toThrow('did you mean `urls`?');
  });
});
