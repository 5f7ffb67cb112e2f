import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import { memoryStore } from '@ashlar/store';
import { eventually } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Mover, ShardRouter } from '../../src/index.ts';
import { type TwoShards, twoShards } from '../postgres/shards.ts';

const tables = {
  customer: { key: ['id'], primaryKey: ['id'], columns: { id: 'text', name: 'text' } },
  purchase: {
    key: ['customer'],
    primaryKey: ['customer', 'id'],
    columns: { customer: 'text', id: 'int8', total: 'numeric' },
  },
} as const;
const references = { grade: { primaryKey: ['name'], columns: { name: 'text', rank: 'int4' } } } as const;

const maxConnections = 2;
const customers = 12;
/** More than a stream fetches at once, of each shard. */
const purchases = 300;

/** What users have reported of connections beneath routers, poolers and ORMs, on ours. */
describe('connections to shards of PostgreSQL', () => {
  let shards: TwoShards;
  let router: Awaited<ReturnType<typeof opened>>;
  const store = memoryStore();
  const ends: (() => Promise<unknown>)[] = [];

  async function opened() {
    const sets: Record<string, ReplicaSet<pg.Client>> = {};
    for (const [i, name] of (['one', 'two'] as const).entries()) {
      const servers = postgresServers({
        servers: [{ id: name, connection: shards.servers[i]!.url }],
        newClient: (connectionString: string) =>
          new pg.Client({ connectionString, application_name: 'router' }),
      });
      const set = await ReplicaSet.connect({ name, servers, maxConnections, timeoutMs: 60_000 });
      ends.push(() => set.close());
      sets[name] = set;
    }
    const made = new ShardRouter({ shards: sets, store, key: 'text', tables, references });
    ends.push(() => made.close());
    await made.ready();
    return made;
  }

  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    ends.push(async () => shards[Symbol.asyncDispose]());
    for (const client of [shards.one, shards.two])
      await client.query('CREATE TABLE grade (name text PRIMARY KEY, rank int)');
    router = await opened();
    await router.reference('grade').insert([{ name: 'gold', rank: 1 }]);
    for (let n = 0; n < customers; n++) {
      await router.table('customer').insert({ id: `c${n}`, name: 'gold' });
      const its = Array.from({ length: purchases }, (_, id) => ({ customer: `c${n}`, id, total: id }));
      await router.table('purchase').insert(its);
    }
  }, 120_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    await store.close();
  });

  /** What the router's connections do on the servers, but for those that rest and the looks of the sets. */
  async function busy(): Promise<string[]> {
    const found: string[] = [];
    for (const client of [shards.one, shards.two]) {
      const { rows } = await client.query(
        `SELECT state, query FROM pg_stat_activity WHERE application_name = 'router' AND state <> 'idle' AND query NOT LIKE '%"isReplica"%'`,
      );
      found.push(...rows.map(({ state, query }) => `${state}: ${query}`));
    }
    return found;
  }

  async function isQuiet() {
    await eventually(async () => expect(await busy()).toEqual([]), { withinMs: 30_000 });
    // Nothing keeps a connection either: all are to be had at once
    await Promise.all(
      Array.from({ length: maxConnections }, () => router.table('customer').select().everywhere().all()),
    );
  }

  const many = <T>(make: () => Promise<T>) => Promise.all(Array.from({ length: 3 * maxConnections }, make));

  // porsager/postgres#411, knex/knex#1040, Vincit/objection.js#1137: what has a connection waits for another, which is had by one that does the same
  it('do not wait for each other in look-ups and joins, of which there are more than connections', async () => {
    const all = router.table('purchase').select('customer', 'id').everywhere();
    const buyers = router.table('customer').select('id', 'name');
    const found = await many(() => all.lookup('buyer', buyers, { customer: 'id' }).all());
    for (const rows of found) {
      expect(rows).toHaveLength(customers * purchases);
      expect(rows.every(({ customer, buyer }) => buyer.length === 1 && buyer[0]!.id === customer)).toBe(true);
    }
    const pages = await many(() => all.lookup('buyer', buyers, { customer: 'id' }).page({ size: 1_500 }));
    for (const { rows } of pages) expect(rows).toHaveLength(1_500);
    const grades = router.reference('grade').select();
    const graded = router.table('customer').select('id', 'name').everywhere();
    const joined = await many(() =>
      graded
        .join('buys', router.table('purchase').select('customer', 'id'), { id: 'customer' })
        .join('grade', grades, { name: 'name' })
        .all(),
    );
    for (const rows of joined) {
      expect(rows).toHaveLength(customers * purchases);
      expect(rows.every(({ grade }) => grade.rank === 1)).toBe(true);
    }
    await isQuiet();
  }, 120_000);

  // citusdata/citus#1472, #1784 and #1904: connections and statements that were left when a query was canceled
  it('are free again, and idle on the servers, when a stream, look-up, join or aggregate is aborted or left in the midst', async () => {
    const all = router.table('purchase').select('customer', 'id').orderBy('id').everywhere();
    const buyers = router.table('customer').select('id', 'name');
    const looked = all.lookup('buyer', buyers, { customer: 'id' });
    const pairs = router
      .table('customer')
      .select('id', 'name')
      .everywhere()
      .join('buys', router.table('purchase').select('customer', 'id'), { id: 'customer' })
      .join('grade', router.reference('grade').select(), { name: 'name' });
    const reason = new Error('enough');
    for (const query of [all, looked, pairs]) {
      const stop = new AbortController();
      let taken = 0;
      const reading = (async () => {
        for await (const _ of query.stream({ batchRows: 10, signal: stop.signal }))
          if (++taken === 25) stop.abort(reason);
      })();
      await expect(reading).rejects.toBe(reason);
      for await (const _ of query.stream({ batchRows: 10 })) if (--taken === 0) break;
      await isQuiet();
    }
    // While a statement waits on one of the servers
    const locker = await shards.connect('two');
    for (const table of ['purchase', 'customer', 'grade']) {
      for (const run of [
        (signal: AbortSignal) => all.all({ signal }),
        (signal: AbortSignal) => all.count({ signal }),
        (signal: AbortSignal) => looked.all({ signal }),
        (signal: AbortSignal) => looked.page({ size: 1_000 }, { signal }),
        (signal: AbortSignal) => pairs.all({ signal }),
        (signal: AbortSignal) =>
          pairs
            .aggregate({ n: { count: '*' } })
            .groupBy('grade.rank')
            .all({ signal }),
      ]) {
        await locker.query('BEGIN');
        await locker.query(`LOCK TABLE ${table}`);
        const stop = new AbortController();
        const running = run(stop.signal).then(
          () => 'done',
          error => error,
        );
        let isOver = false;
        void running.then(() => {
          isOver = true;
        });
        // Some do not need this table
        await eventually(
          async () => {
            const { rowCount } = await shards.two.query(
              "SELECT FROM pg_stat_activity WHERE application_name = 'router' AND wait_event_type = 'Lock'",
            );
            expect(isOver || rowCount! > 0).toBe(true);
          },
          { withinMs: 30_000 },
        );
        stop.abort(reason);
        expect([reason, 'done']).toContain(await running);
        await eventually(async () => expect(await busy()).toEqual([]), { withinMs: 30_000 });
        await locker.query('ROLLBACK');
      }
    }
    await isQuiet();
  }, 180_000);

  // oven-sh/bun#29484, pgbouncer/pgbouncer#1038, t8y2/dbx#4631: "cached plan must not change result type" for good; postgresml/pgcat#734, sysown/proxysql#6202:
  // statements that another connection had prepared
  it('run named statements after a migration and after a move, there and back', async () => {
    const mover = new Mover({ store, tables, backend: shards.moves(), steadyMs: 0 });
    onTestFinished(() => mover.close());
    const ids = Array.from({ length: customers }, (_, n) => `c${n}`);
    const statement = (id: string) => ({
      name: 'customer',
      text: 'SELECT * FROM customer WHERE id = $1',
      values: [id],
    });
    const columnsOf = async (id: string) => {
      const { rows } = await router.on(id).read(db => db.query(statement(id)));
      return rows.map(row => Object.keys(row).length);
    };
    const rename = (id: string, name: string) =>
      router.on(id).write(async db => {
        const text = 'UPDATE customer SET name = $2 WHERE id = $1 RETURNING *';
        return (await db.query({ name: 'rename', text, values: [id, name] })).rows.map(row => row.name);
      });
    const everyone = (run: (id: string) => Promise<unknown>) => Promise.allSettled(ids.map(id => run(id)));
    for (const id of ids) expect([await columnsOf(id), await rename(id, 'gold')]).toEqual([[2], ['gold']]);
    await everyone(columnsOf);
    for (const client of [shards.one, shards.two]) await client.query('ALTER TABLE customer ADD note text');
    // Each connection may fail once
    let failed = 0;
    for (let round = 0; round < 4; round++)
      for (const each of await everyone(columnsOf))
        if (each.status === 'rejected') {
          expect(each.reason).toMatchObject({ code: '0A000' });
          failed++;
        } else expect(each.value).toEqual([3]);
    expect(failed).toBeLessThanOrEqual(2 * maxConnections);
    for (const id of ids) expect(await columnsOf(id)).toEqual([3]);
    const from = router.route('c0').shard;
    const to = from === 'one' ? 'two' : 'one';
    const moves = await mover.begin({ kind: 'merge', shards: [from], into: to });
    for (const { id } of moves) await mover.run(id).done;
    for (const id of ids) {
      expect(router.route(id).shard).toBe(to);
      // A write through a plan of the time before is refused, not lost: where it fails, it is of its migration
      await rename(id, 'silver').catch(error => expect(error).toMatchObject({ code: '0A000' }));
      expect([await columnsOf(id), await rename(id, 'silver')]).toEqual([[3], ['silver']]);
    }
    for (const { id } of moves) await mover.rollback(id);
    expect(router.route('c0').shard).toBe(from);
    for (const id of ids) expect([await columnsOf(id), await rename(id, 'gold')]).toEqual([[3], ['gold']]);
    await isQuiet();
  }, 180_000);
});
