import { startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresMoves } from '../../../src/adapters/postgres.ts';
import type { MoveSpec } from '../../../src/moves/move-backend.ts';
import { context, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const signal = () => AbortSignal.timeout(20_000);

describe('the plan of a move', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { max_prepared_transactions: 5 } });
    await fill(shards.one, names(20, 'lower'), 10);
    await shards.one.query('ANALYZE');
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  const kindsOf = async (move: MoveSpec = lowerHalf('plan')) =>
    (await shards.moves().plan(move, signal())).obstacles.map(({ kind, shard, table }) => [
      kind,
      shard,
      table,
    ]);

  it('says what it will cost, and changes nothing', async () => {
    const plan = await shards.moves().plan(lowerHalf('plan'), signal());
    expect(plan).toMatchObject({ obstacles: [], warnings: [] });
    expect(plan.tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['customer', 10],
      ['purchase', 100],
    ]);
    const { rows } = await shards.one.query("SELECT FROM pg_namespace WHERE nspname = 'ashlar_shards'");
    expect(rows).toEqual([]);
  });

  it('names a shard that the backend was not given', async () => {
    expect(await kindsOf({ ...lowerHalf('plan'), to: 'nine' })).toEqual([
      ['unknown_shard', 'nine', undefined],
    ]);
    await expect(shards.moves().leaks('nine', [])).rejects.toMatchObject({
      code: 'ASHLAR_SHARD_ROUTER_MOVE_REFUSED',
    });
  });

  it.each([
    [
      'no_table',
      'two',
      'purchase',
      'ALTER TABLE purchase RENAME TO elsewhere',
      'ALTER TABLE elsewhere RENAME TO purchase',
    ],
    ['drift', 'two', 'purchase', 'ALTER TABLE purchase ADD extra int', 'ALTER TABLE purchase DROP extra'],
    [
      'drift',
      'two',
      'purchase',
      "ALTER TABLE purchase ALTER note SET DEFAULT '{}'",
      'ALTER TABLE purchase ALTER note DROP DEFAULT',
    ],
    ['drift', 'two', 'purchase', 'CREATE INDEX elsewhere ON purchase (total)', 'DROP INDEX elsewhere'],
    [
      'drift',
      'two',
      'purchase',
      'ALTER TABLE purchase ADD CONSTRAINT positive CHECK (total > 0)',
      'ALTER TABLE purchase DROP CONSTRAINT positive',
    ],
    [
      'drift',
      'two',
      'purchase',
      'ALTER TABLE purchase ALTER total TYPE numeric(14,2)',
      'ALTER TABLE purchase ALTER total TYPE numeric(12,2)',
    ],
    [
      'drift',
      'two',
      'customer',
      'ALTER TABLE customer ALTER name TYPE text COLLATE "C"',
      'ALTER TABLE customer ALTER name TYPE text COLLATE "default"',
    ],
    ['unlogged', 'one', 'purchase', 'ALTER TABLE purchase SET UNLOGGED', 'ALTER TABLE purchase SET LOGGED'],
    [
      'replica_identity',
      'one',
      'purchase',
      'ALTER TABLE purchase REPLICA IDENTITY NOTHING',
      'ALTER TABLE purchase REPLICA IDENTITY DEFAULT',
    ],
    [
      'key_not_in_primary_key',
      'one',
      'purchase',
      'ALTER TABLE purchase DROP CONSTRAINT purchase_pkey; ALTER TABLE purchase ADD PRIMARY KEY (id)',
      'ALTER TABLE purchase DROP CONSTRAINT purchase_pkey; ALTER TABLE purchase ADD PRIMARY KEY (customer, id)',
    ],
    [
      'no_primary_key',
      'one',
      'purchase',
      'ALTER TABLE purchase DROP CONSTRAINT purchase_pkey',
      'ALTER TABLE purchase ADD PRIMARY KEY (customer, id)',
    ],
    [
      'foreign_key',
      'one',
      'purchase',
      'CREATE TABLE seller (id int PRIMARY KEY); ALTER TABLE purchase ADD seller int REFERENCES seller',
      'ALTER TABLE purchase DROP seller; DROP TABLE seller',
    ],
    [
      'foreign_key',
      'one',
      'customer',
      'CREATE TABLE visit (customer text REFERENCES customer)',
      'DROP TABLE visit',
    ],
    [
      'foreign_key',
      'one',
      'purchase',
      'ALTER TABLE customer ADD code text UNIQUE; ALTER TABLE purchase ADD gift text REFERENCES customer (code) ON DELETE CASCADE',
      'ALTER TABLE purchase DROP gift; ALTER TABLE customer DROP code',
    ],
    ['inheritance', 'one', 'purchase', 'CREATE TABLE special () INHERITS (purchase)', 'DROP TABLE special'],
    [
      'event_trigger',
      'two',
      undefined,
      "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER every_ddl ON ddl_command_end EXECUTE FUNCTION on_ddl()",
      'DROP EVENT TRIGGER every_ddl; DROP FUNCTION on_ddl()',
    ],
    [
      'replica_trigger',
      'two',
      'purchase',
      "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER audit BEFORE INSERT ON purchase FOR EACH ROW EXECUTE FUNCTION audit(); ALTER TABLE purchase ENABLE ALWAYS TRIGGER audit",
      'DROP TRIGGER audit ON purchase; DROP FUNCTION audit()',
    ],
    [
      'prepared_transaction',
      'one',
      'purchase',
      ['BEGIN', 'UPDATE purchase SET total = 1', "PREPARE TRANSACTION 'p'"],
      "ROLLBACK PREPARED 'p'",
    ],
    [
      'rows_at_target',
      'two',
      'customer',
      `INSERT INTO customer VALUES ('${names(1, 'lower')[0]}')`,
      'DELETE FROM customer',
    ],
  ] as const)('names %s at %s', async (kind, shard, table, make, unmake) => {
    const client = shard === 'one' ? shards.one : shards.two;
    for (const statement of [make].flat()) await client.query(statement);
    try {
      expect(await kindsOf()).toContainEqual([kind, shard, table]);
    } finally {
      await client.query(unmake);
    }
    expect(await kindsOf()).toEqual([]);
  });

  it('names a key of another type, and one whose texts are equal and differ', async () => {
    await shards.one.query(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      ALTER TABLE purchase DROP CONSTRAINT purchase_customer_fkey; ALTER TABLE purchase ALTER customer TYPE text COLLATE loose`);
    expect(await kindsOf()).toContainEqual(['key_collation', 'one', 'purchase']);
    await shards.one.query(
      `ALTER TABLE purchase ALTER customer TYPE text COLLATE "default"; ALTER TABLE purchase ADD FOREIGN KEY (customer) REFERENCES customer`,
    );
    expect(await kindsOf({ ...lowerHalf('plan'), key: 'int8' })).toContainEqual([
      'key_type',
      'one',
      'purchase',
    ]);
  });

  it('says of each obstacle what to do', async () => {
    const { obstacles } = await shards.moves().plan({ ...lowerHalf('plan'), key: 'uuid' }, signal());
    expect(obstacles[0]!.words).toBe('id is text, and the map is for uuid: their slots differ');
  });

  it('warns of sequences that hand out blocks', async () => {
    await shards.one.query('ALTER TABLE purchase ALTER id SET CACHE 20');
    const { warnings } = await shards.moves().plan(lowerHalf('plan'), signal());
    expect(warnings.map(({ kind, table }) => [kind, table])).toEqual([['sequence_cache', 'purchase']]);
    await shards.one.query('ALTER TABLE purchase ALTER id SET CACHE 1');
  });

  /** Of a move from what a client reaches to the shard `two`. */
  const kindsFrom = async (client: () => pg.Client) => {
    const moves = postgresMoves({
      shards: {
        one: { client, replication: 'host=none' },
        two: {
          client: () => new pg.Client({ connectionString: shards.servers[1].url }),
          replication: () => 'host=none',
        },
      },
    });
    const { obstacles } = await moves.plan(lowerHalf('plan'), signal());
    await moves.close();
    return obstacles.filter(({ shard }) => shard === 'one').map(({ kind }) => kind);
  };

  it('names a server without logical replication, one with no room for it, an asynchronous standby, and a standby', async () => {
    const plain = await startPostgres({
      own: true,
      config: {
        wal_level: 'replica',
        max_replication_slots: 2,
        max_wal_senders: 3,
        max_logical_replication_workers: 1,
      },
      standbys: 1,
    });
    try {
      const [primary, standby] = [plain, plain.standbys[0]!];
      expect(await kindsFrom(() => new pg.Client({ connectionString: primary.url }))).toEqual([
        'wal_level',
        'max_replication_slots',
        'max_wal_senders',
        'max_logical_replication_workers',
        'asynchronous_replica',
        'no_table',
        'no_table',
      ]);
      expect(await kindsFrom(() => new pg.Client({ connectionString: standby.url }))).toContain('replica');
    } finally {
      await plain.stop();
    }
  }, 60_000);

  it('names a client that may not administer, and a database whose texts are not of UTF-8', async () => {
    const { url } = shards.servers[0];
    await shards.one.query('CREATE ROLE plain LOGIN');
    await shards.one.query("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    const at = (change: { readonly username?: string; readonly pathname?: string }) => () =>
      new pg.Client({ connectionString: Object.assign(new URL(url), change).href });
    expect(await kindsFrom(at({ username: 'plain' }))).toEqual(['privileges']);
    expect(await kindsFrom(at({ pathname: 'latin' }))).toEqual(['encoding', 'no_table', 'no_table']);
    await shards.one.query('DROP DATABASE latin');
    await shards.one.query('DROP ROLE plain');
  });

  it('names a server of an older version', async () => {
    // There is none here: its answer is changed
    const client = () => {
      const old = new pg.Client({ connectionString: shards.servers[0].url });
      const query = old.query.bind(old) as (...args: unknown[]) => Promise<pg.QueryResult>;
      return Object.assign(old, {
        query: async (...args: unknown[]) => {
          const result = await query(...args);
          for (const row of result.rows ?? []) if ('walLevel' in row) row.version = 140_012;
          return result;
        },
      });
    };
    expect(await kindsFrom(client as () => pg.Client)).toEqual(['version']);
  });

  it('lets a foreign key pass to a reference table that both shards have at one version', async () => {
    const { one, two } = shards;
    const both = async (sql: string) => {
      for (const client of [one, two]) await client.query(sql);
    };
    await both(`CREATE TABLE town (code text PRIMARY KEY); INSERT INTO town VALUES ('w');
      ALTER TABLE customer ADD home text DEFAULT 'w' REFERENCES town`);
    const obstacles = async () => (await shards.moves().plan(lowerHalf('plan'), signal())).obstacles;
    const words = async () => (await obstacles()).map(each => `${each.kind} ${each.shard}: ${each.words}`);
    expect(await words()).toEqual([
      expect.stringContaining(
        'foreign_key one: foreign key customer_home_fkey to town leaves the moved tables',
      ),
      expect.stringContaining('foreign_key two: '),
    ]);
    await both(`CREATE SCHEMA ashlar_shards; CREATE TABLE ashlar_shards.reference (name text PRIMARY KEY, version int8 NOT NULL);
      INSERT INTO ashlar_shards.reference VALUES ('town', 3)`);
    expect(await words()).toEqual([]);
    await two.query('UPDATE ashlar_shards.reference SET version = 2');
    expect(await words()).toEqual(
      ['one', 'two'].map(shard =>
        expect.stringMatching(`${shard}: .* version 3 at the source and 2 at the target`),
      ),
    );
    await two.query('UPDATE ashlar_shards.reference SET version = 3');
    await both(`ALTER TABLE customer DROP CONSTRAINT customer_home_fkey;
      ALTER TABLE customer ADD CONSTRAINT customer_home_fkey FOREIGN KEY (home) REFERENCES town ON DELETE CASCADE`);
    expect(await words()).toEqual(
      ['one', 'two'].map(shard => expect.stringMatching(`${shard}: .* make it NO ACTION`)),
    );
    await both(
      `ALTER TABLE customer DROP CONSTRAINT customer_home_fkey; ALTER TABLE customer ADD FOREIGN KEY (home) REFERENCES town`,
    );
    // The whole way: rows arrive with what they refer to
    const moves = shards.moves();
    const move = lowerHalf('towns');
    await moves.prepare(move, context());
    await moves.copy(move, context());
    expect((await moves.verify(move, context())).differences).toEqual([]);
    await moves.abort(move, context());
    await both('ALTER TABLE customer DROP home; DROP TABLE town; DROP TABLE ashlar_shards.reference');
  }, 60_000);

  it('names a table into which a subscription writes', async () => {
    await shards.one.query('CREATE PUBLICATION theirs FOR TABLE purchase');
    const { port } = shards.servers[0];
    await shards.two.query(
      `CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 port=${port} user=postgres dbname=postgres' PUBLICATION theirs WITH (copy_data = false)`,
    );
    expect(await kindsOf()).toEqual([['subscription', 'two', 'purchase']]);
    await shards.two.query('DROP SUBSCRIPTION theirs');
    await shards.one.query('DROP PUBLICATION theirs');
    expect(await kindsOf()).toEqual([]);
  });
});

describe('a move of other tables and keys', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    for (const client of [shards.one, shards.two]) {
      await client.query(`DROP TABLE purchase, customer; CREATE SCHEMA shop;
        CREATE TABLE shop."Order" (tenant bigint, region uuid, at date, total double precision, bits bytea, PRIMARY KEY (tenant, region, at))
          PARTITION BY RANGE (at);
        CREATE TABLE shop.early PARTITION OF shop."Order" FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
        CREATE TABLE shop.late PARTITION OF shop."Order" FOR VALUES FROM ('2026-07-01') TO ('2027-01-01')`);
    }
    await shards.one.query(`INSERT INTO shop."Order" SELECT t, gen_random_uuid(), '2026-01-01'::date + t, random() * 1e300, sha256(t::text::bytea)
      FROM generate_series(1, 300) t`);
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  it('takes partitions and keys of several columns along, and fences each partition', async () => {
    const move: MoveSpec = {
      ...lowerHalf('tuple'),
      key: ['int8', 'uuid'],
      tables: {
        'shop.Order': {
          key: ['tenant', 'region'],
          primaryKey: ['tenant', 'region', 'at'],
          columns: { tenant: 'int8', region: 'uuid', at: 'date', total: 'float8', bits: 'bytea' },
        },
      },
    };
    const moves = shards.moves();
    expect((await moves.plan(move, signal())).obstacles).toEqual([]);
    await moves.prepare(move, context());
    await moves.copy(move, context());
    expect((await moves.verify(move, context())).differences).toEqual([]);
    await moves.fence(move, context(), 1_000);
    const here = 'uuid_hash_extended(region, hashint8extended(tenant, 0)) & 1023 < 512';
    const denied = { code: 'AS409' };
    await expect(shards.one.query(`UPDATE shop.early SET total = 0 WHERE ${here}`)).rejects.toMatchObject(
      denied,
    );
    await expect(shards.one.query(`DELETE FROM shop."Order" WHERE ${here}`)).rejects.toMatchObject(denied);
    const moved = `UPDATE shop."Order" SET at = at + 180 WHERE at < '2026-02-01' AND ${here}`;
    await expect(shards.one.query(moved)).rejects.toMatchObject(denied);
    await expect(shards.one.query('TRUNCATE shop.late')).rejects.toMatchObject({ code: '55006' });
    await shards.one.query(`UPDATE shop."Order" SET total = 1 WHERE NOT (${here})`);
    await moves.drain(move, context());
    expect((await moves.recheck(move, context())).differences).toEqual([]);
    await moves.turn(move, context());
    await moves.finish(move, context());
    const count = async (client: pg.Client) =>
      Number((await client.query(`SELECT count(*) FROM shop."Order"`)).rows[0].count);
    expect([await count(shards.one), await count(shards.two)].reduce((a, b) => a + b)).toBe(300);
    const { rows } = await shards.one.query(`SELECT FROM shop."Order" WHERE ${here}`);
    expect(rows).toEqual([]);
    for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
  }, 60_000);
});
