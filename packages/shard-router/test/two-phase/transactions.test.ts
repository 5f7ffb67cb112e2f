import { memoryStore } from '@ashlar/store';
import { PGlite } from '@electric-sql/pglite';
import { type Postgres, startPostgres } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { pgliteShard } from '../../src/adapters/pglite.ts';
import {
  CrossShardError,
  DuplicateRowError,
  InvalidValueError,
  memoryShards,
  ShardRouter,
  TwoPhaseUnavailableError,
} from '../../src/index.ts';
import { accountsRouter, audit, ddl, ownersOn, postgresShards, tables, transfer } from './accounts.ts';

const names = ['one', 'three', 'two'] as const;
const ends: (() => Promise<unknown>)[] = [];
let server: Postgres;
const urls: Record<string, string> = {};

beforeAll(async () => {
  server = await startPostgres({ own: true, config: { max_prepared_transactions: 20 } });
  ends.push(() => server.stop());
  const admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  for (const name of names) {
    await admin.query(`CREATE DATABASE ${name}`);
    urls[name] = server.url.replace(/[^/]*$/, name);
    const client = new pg.Client({ connectionString: urls[name] });
    await client.connect();
    await client.query(ddl);
    await client.end();
  }
  await admin.end();
});
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const backends = [
  ['memory', async () => memoryShards(names)],
  [
    'PostgreSQL',
    async () => {
      const shards = await postgresShards(urls);
      for (const shard of Object.values(shards)) ends.push(() => shard.close());
      return shards;
    },
  ],
] as const;

describe.each(backends)('transactions over several shards: %s', (_, open) => {
  const store = memoryStore();
  let router: ReturnType<typeof accountsRouter>;
  let owners: string[];
  let shards: Readonly<Record<string, unknown>>;
  beforeAll(async () => {
    shards = await open();
    router = accountsRouter(shards, store);
    await router.ready();
    owners = ownersOn(router, names);
    for (const owner of owners) await router.table('accounts').insert({ owner, balance: 1_000 });
  });
  afterAll(async () => {
    await router.close();
    await store.close();
  });

  it('commits on all shards, and its own reads see what it has written', async () => {
    const [a, b, c] = owners as [string, string, string];
    await transfer(router, a, [b, c], 'first');
    const seen = await router.transaction(
      [a, b],
      async tx => {
        await tx.table('accounts').update({ balance: 5 }).where({ owner: b }).run();
        return (await tx.table('accounts').get({ owner: b }))?.balance;
      },
      { twoPhase: true },
    );
    expect(seen).toBe(5n);
    await router.table('accounts').update({ balance: 1_001 }).where({ owner: b }).run();
    expect(await audit(router)).toEqual({ sum: 3_000n, transfers: { first: 3 } });
  });

  it.runIf(_ === 'PostgreSQL')(
    'puts what it has written in the order of a collation, in batches too, on its connections',
    async () => {
      const work = async (tx: Parameters<Parameters<typeof router.transaction>[1]>[0]) => {
        for (const [i, owner] of owners.entries())
          for (const id of ['b', 'Ä', 'a', 'z', 'ä'])
            await tx.table('transfers').insert({ owner, id: `${id}${i}`, amount: 0 });
        const query = tx
          .table('transfers')
          .select('id')
          .where('owner', 'in', owners)
          .where('id', '<>', 'first');
        const ordered = query.orderBy('id', { collation: 'de-x-icu' });
        const streamed: string[] = [];
        for await (const { id } of ordered.stream({ batchRows: 2 })) streamed.push(id);
        expect((await ordered.all()).map(({ id }) => id)).toEqual(streamed);
        throw Object.assign(new Error('undone'), { streamed });
      };
      const streamed = [
        'a0',
        'ä0',
        'Ä0',
        'a1',
        'ä1',
        'Ä1',
        'a2',
        'ä2',
        'Ä2',
        'b0',
        'b1',
        'b2',
        'z0',
        'z1',
        'z2',
      ];
      await expect(router.transaction(owners, work, { twoPhase: true })).rejects.toMatchObject({ streamed });
    },
  );

  // A transaction in memory has its shard for itself
  it.runIf(_ === 'PostgreSQL')('as the victim of a deadlock runs again, and takes effect once', async () => {
    const [a, b] = owners as [string, string];
    let other = '';
    for (let n = 0; other === '' || other === a || router.route(other).shard !== 'one'; n++)
      other = `next ${n}`;
    await router.table('accounts').insert({ owner: other, balance: 0 });
    const { balance } = (await router.table('accounts').get({ owner: a }))!;
    let begun = 0;
    let both!: () => void;
    const bothHaveBegun = new Promise<void>(resolve => {
      both = resolve;
    });
    let runs = 0;
    const crossing = (first: string, second: string) =>
      router.transaction(
        [a, other, b],
        async tx => {
          runs++;
          await tx.table('accounts').update({ balance: 1_000 }).where({ owner: first }).run();
          if (++begun === 2) both();
          await bothHaveBegun;
          await tx.table('accounts').update({ balance: 0 }).where({ owner: second }).run();
        },
        { twoPhase: true },
      );
    await Promise.all([crossing(a, other), crossing(other, a)]);
    expect(runs).toBeGreaterThanOrEqual(3); // Both may be victims
    const rows = await router.table('accounts').select().everywhere().all();
    const balances = rows.filter(({ owner }) => owner === a || owner === other).map(each => each.balance);
    expect(balances.sort()).toEqual([0n, 1_000n]);
    await router.table('accounts').delete().where({ owner: other }).run();
    await router.table('accounts').update({ balance }).where({ owner: a }).run();
  });

  it('leaves nothing anywhere when the work throws, or a statement of it fails at any of the shards', async () => {
    const [a, b, c] = owners as [string, string, string];
    const undo = new Error('undo');
    const write = async (tx: Parameters<Parameters<typeof router.transaction>[1]>[0], owner: string) =>
      tx.table('accounts').update({ balance: 7 }).where({ owner }).run();
    for (const at of [a, b, c]) {
      const failing = router.transaction(
        owners,
        async tx => {
          for (const owner of owners) await write(tx as never, owner);
          const row = { owner: at, balance: 1 };
          // Passed over: the shard has undone its part all the same
          await tx
            .table('accounts')
            .insert(row)
            .catch(() => {});
        },
        { twoPhase: true },
      );
      await expect(failing).rejects.toThrow();
      const thrown = router.transaction(
        owners,
        async tx => {
          for (const owner of owners) await write(tx as never, owner);
          await tx.table('accounts').insert({ owner: at, balance: 1 });
        },
        { twoPhase: true },
      );
      await expect(thrown).rejects.toThrow(DuplicateRowError);
      const undone = router.transaction(
        owners,
        async tx => {
          await write(tx as never, at);
          throw undo;
        },
        { twoPhase: true },
      );
      await expect(undone).rejects.toBe(undo);
    }
    expect((await audit(router)).sum).toBe(3_000n);
    expect(await router.recover(0)).toEqual({ settled: [], failed: [] });
  });

  it('keeps the sum while many run at once, also when they fail for want of time', async () => {
    const settled = await Promise.allSettled(
      Array.from({ length: 24 }, (_, i) => {
        const [from, ...to] = [owners[i % 3]!, owners[(i + 1) % 3]!, owners[(i + 2) % 3]!];
        // Those that wait for each other on several shards give up one after another, and so let the others go on
        return transfer(router, from!, i % 2 ? to : to.slice(0, 1), `many ${i}`, 1_000 + 500 * i);
      }),
    );
    const { sum, transfers } = await audit(router);
    expect(sum).toBe(3_000n);
    for (const [i, { status }] of settled.entries())
      expect(transfers[`many ${i}`] ?? 0).toBe(status === 'fulfilled' ? (i % 2 ? 3 : 2) : 0);
    expect(settled.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect((await router.recover(0)).settled).toEqual([]);
  });

  it('one of one shard is an ordinary one; others are refused before anything is touched', async () => {
    const [a, b] = owners as [string, string];
    await router.transaction([a, a], async tx => expect(tx.client).toBe(tx.on(a)), { twoPhase: true });
    await expect(router.transaction([a, b], async () => {})).rejects.toThrow(CrossShardError);
    let calls = 0;
    const asked = new ShardRouter<unknown, typeof tables>({
      shards: shards as never,
      store,
      key: 'text',
      tables,
    });
    onTestFinished(() => asked.close());
    await asked.ready();
    const refused = asked.transaction([a, b], async () => ++calls, { twoPhase: true });
    await expect(refused).rejects.toThrow(TwoPhaseUnavailableError);
    await router.transaction(
      [a, b],
      async tx => {
        expect(() => tx.client).toThrow(CrossShardError);
        expect(() => tx.on(owners[2]!)).toThrow(CrossShardError);
        await expect(tx.table('accounts').get({ owner: owners[2]! })).rejects.toThrow(CrossShardError);
      },
      { twoPhase: true },
    );
    expect(calls).toBe(0);
  });

  it('moves a row to another shard key on request, all of it or nothing', async () => {
    const [a, b] = owners as [string, string];
    const transfers = router.table('transfers');
    const [from, to] = [
      { owner: a, id: 'moved' },
      { owner: b, id: 'moved' },
    ];
    await transfers.insert({ ...from, amount: 7 });
    expect(await transfers.moveRow(from, { owner: b })).toBe(true);
    expect(await transfers.get(to)).toEqual({ ...to, amount: 7n });
    expect(await transfers.get(from)).toBeUndefined();
    expect(await transfers.moveRow(from, { owner: b })).toBe(false);
    expect(await transfers.moveRow(to, { owner: b })).toBe(true);
    // The place is taken, and so both rows stay
    await transfers.insert({ ...from, amount: 1 });
    await expect(transfers.moveRow(from, { owner: b })).rejects.toThrow(DuplicateRowError);
    expect([await transfers.get(from), await transfers.get(to)]).toMatchObject([
      { amount: 1n },
      { amount: 7n },
    ]);
    // Within a transaction it is a part of it
    const undone = router.transaction(
      [a, b],
      async tx => {
        await tx.table('transfers').delete().where(to).run();
        expect(await tx.table('transfers').moveRow(from, { owner: b })).toBe(true);
        throw new Error('undo');
      },
      { twoPhase: true },
    );
    await expect(undone).rejects.toThrow('undo');
    expect([await transfers.get(from), await transfers.get(to)]).toMatchObject([
      { amount: 1n },
      { amount: 7n },
    ]);
    const plain = new ShardRouter({ shards: shards as never, store, key: 'text', tables });
    onTestFinished(() => plain.close());
    await plain.ready();
    await expect(plain.table('transfers').moveRow(to, { owner: a })).rejects.toThrow(
      TwoPhaseUnavailableError,
    );
    await expect(transfers.moveRow(from, {} as never)).rejects.toThrow(InvalidValueError);
    await expect(transfers.moveRow(from, { owner: b, amount: 1 } as never)).rejects.toThrow(
      InvalidValueError,
    );
    for (const each of [from, to]) await transfers.delete().where(each).run();
  });
});

it('a database that takes no prepared transactions is refused before anything is touched', async () => {
  const shards: Record<string, unknown> = {};
  for (const name of ['one', 'two']) {
    const db = await PGlite.create();
    onTestFinished(() => db.close());
    await db.exec(ddl);
    shards[name] = pgliteShard({ db });
  }
  const store = memoryStore();
  const router = accountsRouter(shards, store);
  onTestFinished(async () => {
    await router.close();
    await store.close();
  });
  await router.ready();
  let calls = 0;
  const failing = router.transaction(ownersOn(router, ['one', 'two']), async () => ++calls, {
    twoPhase: true,
  });
  await expect(failing).rejects.toThrow('max_prepared_transactions');
  expect(calls).toBe(0);
}, 180_000);

it('a row that would lose something in moving to another shard key stays', async () => {
  const shards = await postgresShards(urls);
  const store = memoryStore();
  const router = accountsRouter(shards, store);
  const client = new pg.Client({ connectionString: urls['one'] });
  await client.connect();
  onTestFinished(async () => {
    await client.query('ALTER TABLE transfers DROP COLUMN IF EXISTS note; DROP TABLE IF EXISTS receipts');
    await client.end();
    await router.close();
    await store.close();
    for (const shard of Object.values(shards)) await shard.close();
  });
  await router.ready();
  const [owner, other] = ownersOn(router, ['one', 'two']) as [string, string];
  const transfers = router.table('transfers');
  await transfers.insert({ owner, id: 'kept', amount: 1 });
  await client.query("ALTER TABLE transfers ADD note text DEFAULT 'of the application'");
  const moving = () => transfers.moveRow({ owner, id: 'kept' }, { owner: other });
  await expect(moving()).rejects.toThrow('note, which the spec does not name');
  await client.query(`ALTER TABLE transfers DROP COLUMN note;
    CREATE TABLE receipts (owner text, id text, FOREIGN KEY (owner, id) REFERENCES transfers ON DELETE CASCADE)`);
  await expect(moving()).rejects.toThrow('would delete or change the rows');
  await client.query('DROP TABLE receipts');
  expect(await moving()).toBe(true);
  await transfers.delete().where({ owner: other, id: 'kept' }).run();
});
