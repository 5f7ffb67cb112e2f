import type { ReplicaSet } from '@ashlar/replica-failover';
import type { Executor } from '@ashlar/replica-failover/executor';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { ShardRouter } from '../../../src/index.ts';
import { databases, filled, opened as openedOver } from '../databases.ts';

const names = ['one', 'two'] as const;
const tables = {
  orders: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', customer: 'int4' },
  },
  customers: {
    key: ['tenant'],
    primaryKey: ['tenant', 'id'],
    columns: { tenant: 'int8', id: 'int4', name: 'text' },
  },
} as const;
const tenants = 60;
const perTenant = 50;

const postgres = databases(`
  CREATE TABLE orders (tenant int8, id int4, customer int4, PRIMARY KEY (tenant, id));
  CREATE TABLE customers (tenant int8, id int4, name text, PRIMARY KEY (tenant, id))`);

describe('streams with look-ups over pools of one connection', () => {
  beforeAll(async () => {
    await filled(await pools(10), tables, async router => {
      for (let tenant = 0; tenant < tenants; tenant++) {
        await router.table('customers').insert([0, 1].map(id => ({ tenant, id, name: `${tenant}/${id}` })));
        const rows = Array.from({ length: perTenant }, (_, id) => ({ tenant, id, customer: id % 3 }));
        await router.table('orders').insert(rows);
      }
    });
  });
  afterAll(() => closed());

  type Shards = Readonly<Record<string, Executor<pg.Client>>>;

  const sets: ReplicaSet<pg.Client>[] = [];
  const closed = async () => {
    for (const set of sets.splice(0)) await set.close();
  };

  /** Shards that have so many connections each. */
  async function pools(maxConnections: number): Promise<Shards> {
    const pairs: [string, ReplicaSet<pg.Client>][] = [];
    for (const name of names) {
      const set = await postgres.pool(name, maxConnections);
      sets.push(set);
      pairs.push([name, set]);
    }
    return Object.fromEntries(pairs);
  }

  async function opened(through: (shards: Shards) => Shards = shards => shards) {
    const shards = through(await pools(1));
    onTestFinished(closed);
    return openedOver(shards, tables);
  }

  const queryOf = (router: ShardRouter<pg.Client, typeof tables>) => {
    const customers = router.table('customers').select('tenant', 'id', 'name');
    const orders = router.table('orders').select('tenant', 'id', 'customer').orderBy('id').everywhere();
    return orders.lookup('buyer', customers, { tenant: 'tenant', customer: 'id' });
  };

  it('look up on the connections that they have', async () => {
    const router = await opened();
    let count = 0;
    for await (const { tenant, customer, buyer } of queryOf(router).stream({ batchRows: 100 })) {
      expect(buyer.map(({ name }) => name)).toEqual(customer === 2 ? [] : [`${tenant}/${customer}`]);
      count++;
    }
    expect(count).toBe(tenants * perTenant);
  });

  it('wait for one another, however many there are', async () => {
    const router = await opened();
    const counts = Array.from({ length: 5 }, async () => {
      let count = 0;
      for await (const { buyer } of queryOf(router).stream({ batchRows: 100 })) count += buyer.length;
      return count;
    });
    const found = Math.ceil((perTenant * 2) / 3) * tenants;
    expect(await Promise.all(counts)).toEqual(Array(5).fill(found));
  });

  it('give them back when their reader stops, and when a look-up fails', async () => {
    const router = await opened();
    for await (const { buyer } of queryOf(router).stream({ batchRows: 10 })) {
      expect(buyer).toHaveLength(1);
      break;
    }
    expect(await router.table('orders').select().everywhere().count()).toBe(BigInt(tenants * perTenant));
    const client = await postgres.client('two');
    await client.query('ALTER TABLE customers RENAME TO gone');
    try {
      const all = async (onShardError: 'fail' | 'partial', missing: { shard: string }[] = []) => {
        let count = 0;
        const query = queryOf(router).stream({ batchRows: 100, onShardError }, missing as never);
        for await (const _ of query) count++;
        return { count, missing: missing.map(({ shard }) => shard) };
      };
      await expect(all('fail')).rejects.toMatchObject({ shard: 'two', cause: { code: '42P01' } });
      // The rows themselves are all there
      expect(await all('partial')).toEqual({ count: tenants * perTenant, missing: ['two'] });
    } finally {
      await client.query('ALTER TABLE gone RENAME TO customers');
    }
    expect(await queryOf(router).all()).toHaveLength(tenants * perTenant);
  });

  it('find what was written since they began, whatever isolation is the default', async () => {
    const clients = await Promise.all(names.map(name => postgres.client(name)));
    for (const [i, client] of clients.entries())
      await client.query(`ALTER DATABASE ${names[i]} SET default_transaction_isolation = 'repeatable read'`);
    try {
      const router = await opened();
      let note = 'old';
      const found: string[] = [];
      for await (const { tenant, customer, buyer } of queryOf(router).stream({ batchRows: 100 })) {
        if (note === 'old')
          for (const client of clients) await client.query("UPDATE customers SET name = 'new' WHERE id = 1");
        note = 'new';
        if (customer === 1 && tenant >= 0) found.push(...buyer.map(({ name }) => `${name}`));
      }
      // All but those of the 500 rows that had looked up by then
      expect(found.filter(name => name !== 'new')).toHaveLength(tenants * 3);
    } finally {
      for (const [i, client] of clients.entries()) {
        await client.query(`ALTER DATABASE ${names[i]} RESET default_transaction_isolation`);
        await client.query("UPDATE customers SET name = tenant || '/' || id");
      }
    }
  });

  it('end a look-up that is late on its server, also where no other connection is to be had', async () => {
    const router = await opened();
    const locker = await postgres.client('two');
    await locker.query('BEGIN; LOCK TABLE customers');
    try {
      const late = (async () => {
        for await (const _ of queryOf(router).stream({ batchRows: 100, timeoutMs: 1_500 }));
      })();
      await expect(late).rejects.toThrow();
    } finally {
      await locker.query('ROLLBACK');
    }
    expect(await queryOf(router).all()).toHaveLength(tenants * perTenant);
  });

  it('end a look-up when they are aborted, on its server as well', async () => {
    const router = await opened();
    const locker = await postgres.client('two');
    await locker.query('BEGIN; LOCK TABLE customers');
    const waiting = async () => {
      const { rows } = await locker.query('SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted');
      return rows[0].count;
    };
    try {
      const stop = new AbortController();
      const aborted = (async () => {
        for await (const _ of queryOf(router).stream({ batchRows: 100, signal: stop.signal }));
      })();
      await expect.poll(waiting).toBe(1);
      stop.abort(new Error('enough'));
      await expect(aborted).rejects.toThrow('enough');
      await expect.poll(waiting).toBe(0);
      expect(await router.table('orders').select().everywhere().count()).toBe(BigInt(tenants * perTenant));
    } finally {
      await locker.query('ROLLBACK');
    }
  });

  it('take the connections of the shards in one order, so that two streams never hold what the other waits for', async () => {
    let calls = 0;
    let second!: () => void;
    const hasSecond = new Promise<void>(resolve => (second = resolve));
    // The first stream comes to the first shard after the second one does
    const router = await opened(({ one, two }) => ({
      one: {
        read: async (work, scope) => {
          if (++calls === 2) second();
          if (calls === 1) await hasSecond;
          return one!.read(work, scope);
        },
        write: (work, scope) => one!.write(work, scope),
        transaction: (work, scope) => one!.transaction(work, scope),
      },
      two: two!,
    }));
    const count = async () => {
      let rows = 0;
      const query = router.table('orders').select('id').orderBy('id').everywhere();
      for await (const _ of query.stream({ batchRows: 10, timeoutMs: 20_000 })) rows++;
      return rows;
    };
    expect(await Promise.all([count(), count()])).toEqual(Array(2).fill(tenants * perTenant));
  });
});
