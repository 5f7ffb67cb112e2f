import { memoryStore } from '@ashlar/store';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { indexTables } from '../../src/adapters/postgres.ts';
import {
  DuplicateRowError,
  IndexBusyError,
  InvalidQueryError,
  memoryShards,
  TwoPhaseUnavailableError,
} from '../../src/index.ts';
import { databases, shardNames } from '../queries/databases.ts';
import { ddl, faultsOf, leftoversOf, tables, tenantsOn, type Users, usersRouter } from './users.ts';

const postgres = databases(`${ddl}; ${indexTables(tables, 'text')}`, { max_prepared_transactions: 20 });

const memory = memoryShards(shardNames);
const backends = [
  ['memory', () => memory as Readonly<Record<string, unknown>>],
  ['PostgreSQL', () => postgres.shards as Readonly<Record<string, unknown>>],
] as const;

const clean = { entries: [], voids: 0 };

describe.each(backends)('a table with indexes in a transaction: %s', (_, shards) => {
  const store = memoryStore();
  let router: Users;
  let users: ReturnType<Users['table']>;
  /** Tenants, each on another shard. */
  let a: string;
  let b: string;
  beforeAll(async () => {
    router = usersRouter(shards(), store, { twoPhase: true });
    await router.ready();
    users = router.table('users');
    [a, b] = tenantsOn(router, ['one', 'two']) as [string, string];
    return async () => {
      await router.close();
      await store.close();
    };
  });
  beforeEach(async () => {
    await users.delete().where('id', '>', -1).everywhere().run();
  });

  const isRight = async () => {
    expect(await faultsOf(router)).toEqual([]);
    expect(await leftoversOf(shards(), store)).toEqual(clean);
    expect(await users.checkIndexes()).toMatchObject({ repaired: [], removed: 0, conflicts: [] });
  };
  const idOf = async (mail: string) => (await users.findBy('mail', { mail })).map(({ id }) => id);
  const two = { twoPhase: true };

  it('is written with its rows, by every kind of write, and more than once', async () => {
    for (const id of [1, 2, 3]) await users.insert({ tenant: a, id, mail: `old ${id}`, town: 'Wien' });
    const counts = await router.transaction(a, async tx => {
      const own = tx.table('users');
      return [
        await own.insert([
          { tenant: a, id: 4, mail: 'four', town: 'Graz' },
          { tenant: a, id: 5, mail: null, town: 'Graz' },
        ]),
        await own.update({ mail: 'first', seen: 1 }).where({ tenant: a, id: 1 }).run(),
        await own.update({ mail: 'second' }).where({ tenant: a, id: 1 }).run(),
        await own.update({ mail: 'never' }).where({ tenant: a, id: 1, seen: 9 }).run(),
        await own.update({ mail: 'never' }).where({ tenant: a, id: 9 }).run(),
        await own.update({ mail: 'gone' }).where({ tenant: a, id: 2 }).run(),
        await own.update({ mail: 'old 2' }).where({ tenant: a, id: 2 }).run(),
        await own.upsert({ tenant: a, id: 4, mail: 'new four', town: 'Graz' }),
        await own.delete().where({ tenant: a, id: 3 }).run(),
        await own.delete().where({ tenant: a, id: 5 }).run(),
      ];
    });
    expect(counts).toEqual([2, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
    expect(await idOf('second')).toEqual([1n]);
    expect(await idOf('old 2')).toEqual([2n]);
    expect(await idOf('new four')).toEqual([4n]);
    expect((await users.findBy('town', { town: 'Graz' })).map(({ id }) => id)).toEqual([4n]);
    for (const mail of ['first', 'never', 'gone', 'four', 'old 1', 'old 3'])
      expect(await idOf(mail)).toEqual([]);
    await isRight();
  });

  it('over several shards too', async () => {
    await users.insert({ tenant: a, id: 1, mail: 'a', town: 'Wien' });
    await router.transaction(
      [a, b],
      async tx => {
        await tx.table('users').update({ mail: 'new a' }).where({ tenant: a, id: 1 }).run();
        await tx.table('users').insert({ tenant: b, id: 2, mail: 'b', town: 'Wien' });
      },
      two,
    );
    expect([await idOf('new a'), await idOf('b'), await idOf('a')]).toEqual([[1n], [2n], []]);
    await isRight();
  });

  it('leaves nothing when the work throws, whenever it does', async () => {
    await users.insert({ tenant: a, id: 1, mail: 'old', town: 'Wien' });
    for (const run of [1, 2]) {
      let runs = 0;
      const thrown = new Error('undo');
      const undone = router.transaction(a, async tx => {
        await tx.table('users').update({ mail: 'new' }).where({ tenant: a, id: 1 }).run();
        await tx.table('users').insert({ tenant: a, id: 2, mail: 'other', town: 'Wien' });
        if (++runs === run) throw thrown;
      });
      await expect(undone).rejects.toBe(thrown);
      expect([await idOf('old'), await idOf('new'), await idOf('other')]).toEqual([[1n], [], []]);
      await isRight();
    }
  });

  it('never has a value twice: what is taken, or wanted by two rows of the transaction, fails it', async () => {
    await users.insert({ tenant: b, id: 1, mail: 'taken', town: null });
    const wants = (...mails: string[]) =>
      router.transaction(a, async tx => {
        for (const [id, mail] of mails.entries()) {
          // Also where the work would pass over it
          await tx
            .table('users')
            .insert({ tenant: a, id, mail, town: null })
            .catch(() => {});
        }
      });
    await expect(wants('free', 'taken')).rejects.toThrow(DuplicateRowError);
    await expect(wants('same', 'same')).rejects.toThrow(DuplicateRowError);
    expect(await users.select().where({ tenant: a }).all()).toEqual([]);
    await isRight();
    await wants('free', 'same');
    await isRight();
  });

  it('passes a unique value from one row to another, and swaps two', async () => {
    await users.insert({ tenant: a, id: 1, mail: 'one', town: 'Wien' });
    await users.insert({ tenant: a, id: 2, mail: 'two', town: 'Wien' });
    await router.transaction(a, async tx => {
      await tx.table('users').update({ mail: 'two' }).where({ tenant: a, id: 1 }).run();
      await tx.table('users').update({ mail: 'one' }).where({ tenant: a, id: 2 }).run();
    });
    expect([await idOf('one'), await idOf('two')]).toEqual([[2n], [1n]]);
    await router.transaction(a, async tx => {
      await tx.table('users').delete().where({ tenant: a, id: 1 }).run();
      await tx.table('users').insert({ tenant: a, id: 3, mail: 'two', town: 'Wien' });
    });
    expect([await idOf('one'), await idOf('two')]).toEqual([[2n], [3n]]);
    await isRight();
    // What is given back when it is not passed on after all
    let runs = 0;
    const undone = router.transaction(a, async tx => {
      await tx.table('users').delete().where({ tenant: a, id: 3 }).run();
      await tx.table('users').insert({ tenant: a, id: 4, mail: 'two', town: 'Wien' });
      if (++runs === 2) throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await idOf('two')).toEqual([3n]);
    await isRight();
  });

  it('runs once where nothing is to be claimed, and twice where something is', async () => {
    await users.insert({ tenant: a, id: 1, mail: 'one', town: 'Wien' });
    const runsOf = async (work: (own: typeof users) => Promise<unknown>) => {
      let runs = 0;
      await router.transaction(a, async tx => {
        runs++;
        await work(tx.table('users') as typeof users);
      });
      return runs;
    };
    const row = { tenant: a, id: 1 };
    expect(await runsOf(own => own.update({ seen: 1 }).where(row).run())).toBe(1);
    expect(await runsOf(own => own.update({ mail: 'one' }).where(row).run())).toBe(1);
    expect(await runsOf(own => own.update({ mail: null }).where(row).run())).toBe(1);
    expect(await runsOf(own => own.update({ mail: 'two' }).where(row).run())).toBe(2);
    expect(await runsOf(own => own.delete().where(row).run())).toBe(1);
    await isRight();
  });

  it('holds for work that does something else each time it runs', async () => {
    let runs = 0;
    await router.transaction(a, async tx => {
      const mail = ++runs < 3 ? `run ${runs}` : 'last';
      await tx.table('users').insert({ tenant: a, id: 1, mail, town: `${mail} town` });
    });
    expect(await idOf('last')).toEqual([1n]);
    for (const mail of ['run 1', 'run 2']) expect(await idOf(mail)).toEqual([]);
    await isRight();
    // A row that is given up in one run, and not in the next
    runs = 0;
    const keeping = router.transaction(a, async tx => {
      if (++runs === 1) await tx.table('users').delete().where({ tenant: a, id: 1 }).run();
      await tx.table('users').insert({ tenant: a, id: 2, mail: 'last', town: null });
    });
    await expect(keeping).rejects.toThrow(DuplicateRowError);
    expect(await idOf('last')).toEqual([1n]);
    await isRight();
    runs = 0;
    const never = router.transaction(a, async tx => {
      await tx.table('users').insert({ tenant: a, id: 3, mail: `never ${runs++}`, town: null });
    });
    await expect(never).rejects.toThrow(IndexBusyError);
    expect(runs).toBeGreaterThan(2);
    await isRight();
  });

  it('of many who want the same value, or write the same row, at once: one gets it, and nothing is wrong', async () => {
    const wanting = Array.from({ length: 8 }, (__, n) =>
      router
        .transaction(n % 2 === 0 ? a : b, async tx => {
          await tx
            .table('users')
            .insert({ tenant: n % 2 === 0 ? a : b, id: n, mail: 'wanted', town: 'Enns' });
        })
        .then(
          () => 1,
          error => {
            expect(error).toSatisfy(
              each => each instanceof DuplicateRowError || each instanceof IndexBusyError,
            );
            return 0;
          },
        ),
    );
    expect((await Promise.all(wanting)).reduce((sum: number, each) => sum + each, 0)).toBe(1);
    await isRight();
    await users.upsert({ tenant: a, id: 100, mail: 'first', town: null });
    const writing = Array.from({ length: 8 }, (__, n) => {
      const row = { tenant: a, id: 100, mail: `mail ${n}`, town: `town ${n % 3}` };
      const writes =
        n % 3 === 0
          ? users.upsert(row)
          : router.transaction(a, async tx => {
              if (n % 3 === 1) await tx.table('users').delete().where({ tenant: a, id: 100 }).run();
              await tx.table('users').upsert(row);
            });
      return writes.then(
        () => {},
        error => expect(error).toBeInstanceOf(IndexBusyError),
      );
    });
    await Promise.all(writing);
    expect(await users.select().where({ tenant: a, id: 100 }).all()).toHaveLength(1);
    await isRight();
  });

  it('what the work does not wait for is whole or not there', async () => {
    await router.transaction(a, async tx => {
      void tx
        .table('users')
        .insert({ tenant: a, id: 1, mail: 'late', town: 'Wien' })
        .catch(() => {});
    });
    expect(await idOf('late')).toEqual((await users.select().where({ tenant: a }).all()).map(({ id }) => id));
    await isRight();
  });

  it('is refused what it could not follow', async () => {
    await router.transaction(a, async tx => {
      const own = tx.table('users');
      await expect(own.update({ town: 'x' }).where({ tenant: a }).run()).rejects.toThrow(InvalidQueryError);
      await expect(own.checkIndexes()).rejects.toThrow(InvalidQueryError);
    });
  });

  describe('moveRow', () => {
    it.each([
      ['to another shard', () => b],
      [
        'on the same shard',
        () => {
          const { shard } = router.route(a);
          for (let n = 0; ; n++)
            if (`near ${n}` !== a && router.route(`near ${n}`).shard === shard) return `near ${n}`;
        },
      ],
    ])('%s takes the entries with it', async (__, to) => {
      await users.insert({ tenant: a, id: 1, mail: 'mine', town: 'Wien', seen: 3 });
      await users.insert({ tenant: a, id: 2, mail: null, town: 'Wien' });
      expect(await users.moveRow({ tenant: a, id: 1 }, { tenant: to() })).toBe(true);
      expect(await users.moveRow({ tenant: a, id: 1 }, { tenant: to() })).toBe(false);
      const row = { tenant: to(), id: 1n, mail: 'mine', town: 'Wien', seen: 3 };
      expect(await users.findBy('mail', { mail: 'mine' })).toEqual([row]);
      expect(await users.findBy('town', { town: 'Wien' })).toHaveLength(2);
      await isRight();
      await expect(users.insert({ tenant: a, id: 1, mail: 'mine', town: null })).rejects.toThrow(
        DuplicateRowError,
      );
      // The place is taken, and so both stay
      await users.insert({ tenant: a, id: 1, mail: 'other', town: 'Linz' });
      await expect(users.moveRow({ tenant: a, id: 1 }, { tenant: to() })).rejects.toThrow(DuplicateRowError);
      expect([await idOf('other'), await idOf('mine')]).toEqual([[1n], [1n]]);
      await isRight();
      await users.delete().where({ tenant: to(), id: 1 }).run();
      expect(await idOf('mine')).toEqual([]);
      await isRight();
    });

    it('is a part of a transaction, there and back', async () => {
      await users.insert({ tenant: a, id: 1, mail: 'mine', town: 'Wien' });
      const moving = (isUndone: boolean) =>
        router.transaction(
          [a, b],
          async tx => {
            await tx.table('users').moveRow({ tenant: a, id: 1 }, { tenant: b });
            await tx.table('users').update({ town: 'Graz' }).where({ tenant: b, id: 1 }).run();
            if (isUndone) throw new Error('undo');
          },
          two,
        );
      await expect(moving(true)).rejects.toThrow('undo');
      expect(await users.findBy('town', { town: 'Wien' })).toMatchObject([{ tenant: a, mail: 'mine' }]);
      await isRight();
      await moving(false);
      expect(await users.findBy('town', { town: 'Graz' })).toMatchObject([{ tenant: b, mail: 'mine' }]);
      await isRight();
      await router.transaction(
        [a, b],
        async tx => {
          await tx.table('users').moveRow({ tenant: b, id: 1 }, { tenant: a });
          await tx.table('users').moveRow({ tenant: a, id: 1 }, { tenant: b });
        },
        two,
      );
      expect(await users.findBy('mail', { mail: 'mine' })).toMatchObject([{ tenant: b, town: 'Graz' }]);
      await isRight();
    });

    it('needs `twoPhase` for another shard', async () => {
      await users.insert({ tenant: a, id: 1, mail: 'mine', town: 'Wien' });
      const plain = usersRouter(shards(), store);
      try {
        await plain.ready();
        await expect(plain.table('users').moveRow({ tenant: a, id: 1 }, { tenant: b })).rejects.toThrow(
          TwoPhaseUnavailableError,
        );
      } finally {
        await plain.close();
      }
      await isRight();
    });

    it('hides the row from no reader of an index, and frees its value for nobody', async () => {
      await users.insert({ tenant: a, id: 1, mail: 'mine', town: 'Wien' });
      let isOver = false;
      let reads = 0;
      let claims = 0;
      const reader = async () => {
        while (!isOver) {
          expect(await users.findBy('mail', { mail: 'mine' })).toHaveLength(1);
          // Two shards are read one after the other: at the one before the row has moved, at the other afterwards
          const seen = await users.findBy('town', { town: 'Wien' });
          expect(seen.length).toBeGreaterThan(0);
          expect(new Set(seen.map(({ tenant }) => tenant)).size).toBe(seen.length);
          for (const { tenant, ...row } of seen) {
            expect([a, b]).toContain(tenant);
            expect(row).toMatchObject({ id: 1n, mail: 'mine', town: 'Wien' });
          }
          reads++;
          await new Promise(resolve => setImmediate(resolve));
        }
      };
      const claimant = async () => {
        while (!isOver) {
          const error = await users
            .insert({ tenant: 'other', id: 7, mail: 'mine', town: null })
            .catch(each => each);
          expect(error.code).toMatch(/DUPLICATE_ROW|INDEX_BUSY/);
          claims++;
          await new Promise(resolve => setImmediate(resolve));
        }
      };
      const others = Promise.all([reader(), reader(), claimant()]);
      others.catch(() => {
        isOver = true;
      });
      try {
        for (let n = 0; n < 20 && !isOver; n++) {
          const [from, to] = n % 2 === 0 ? [a, b] : [b, a];
          expect(await users.moveRow({ tenant: from!, id: 1 }, { tenant: to! })).toBe(true);
        }
      } finally {
        isOver = true;
        await others;
      }
      expect(Math.min(reads, claims)).toBeGreaterThan(0);
      await isRight();
    }, 120_000);
  });
});
