import { memoryStore } from '@ashlar/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexTables } from '../../src/adapters/postgres.ts';
import {
  DuplicateRowError,
  InvalidQueryError,
  InvalidValueError,
  memoryShards,
  PartialWriteError,
} from '../../src/index.ts';
import { databases, shardNames } from '../queries/databases.ts';
import { ddl, faultsOf, tables, type Users, usersRouter } from './users.ts';

const postgres = databases(`${ddl}; ${indexTables(tables, 'text')} ${indexTables(tables, 'text')}`);

const backends = [
  ['memory', () => memoryShards(shardNames) as Readonly<Record<string, unknown>>],
  ['PostgreSQL', () => postgres.shards as Readonly<Record<string, unknown>>],
] as const;

describe.each(backends)('indexes over all shards: %s', (_, shards) => {
  const store = memoryStore();
  let router: Users;
  let users: ReturnType<Users['table']>;
  beforeAll(async () => {
    router = usersRouter(shards(), store);
    await router.ready();
    users = router.table('users');
  });
  afterAll(async () => {
    await router.close();
    await store.close();
  });

  it('find rows by what is not their key, and never two by a unique one', async () => {
    const mine = [1, 2, 3].map(id => ({
      tenant: 'acme',
      id,
      mail: `m${id}@acme`,
      town: id < 3 ? 'Wien' : null,
    }));
    expect(await users.insert(mine)).toBe(3);
    for (let n = 0; n < 10; n++)
      await users.upsert({ tenant: `t${n}`, id: n, mail: `m@t${n}`, town: 'Wien' });
    expect(await users.findBy('mail', { mail: 'm2@acme' })).toEqual([
      { tenant: 'acme', id: 2n, mail: 'm2@acme', town: 'Wien', seen: null },
    ]);
    expect(await users.findBy('town', { town: 'Wien' })).toHaveLength(12);
    expect(await users.findBy('town', { town: 'Graz' })).toEqual([]);
    const taken = { tenant: 'other', id: 1, mail: 'm2@acme', town: null };
    await expect(users.insert(taken)).rejects.toThrow(DuplicateRowError);
    await expect(users.upsert(taken)).rejects.toThrow(DuplicateRowError);
    // The same row, and what was claimed for it is free again
    await expect(users.insert({ ...mine[0]!, mail: 'new@acme' })).rejects.toThrow(DuplicateRowError);
    await users.insert({ tenant: 'other', id: 1, mail: 'new@acme', town: null });
    expect(await faultsOf(router)).toEqual([]);
  });

  it('follow updates, upserts and deletes, and values are free for others from then on', async () => {
    await users.update({ mail: 'moved@acme', seen: 1 }).where({ tenant: 'acme', id: 1 }).run();
    await users.update({ town: 'Graz' }).where({ tenant: 'acme', id: 1 }).run();
    await users.update({ town: 'Graz' }).where({ tenant: 'acme', id: 1 }).run();
    await users.update({ seen: 2 }).where({ tenant: 'acme' }).run();
    expect(await users.update({ mail: 'x' }).where({ tenant: 'acme', id: 1, seen: 99 }).run()).toBe(0);
    expect(await users.update({ mail: 'x' }).where({ tenant: 'acme', id: 99 }).run()).toBe(0);
    expect(await users.findBy('mail', { mail: 'x' })).toEqual([]);
    expect(await users.findBy('mail', { mail: 'm1@acme' })).toEqual([]);
    expect(
      (await users.findBy('mail', { mail: 'moved@acme' })).map(({ seen, town }) => [seen, town]),
    ).toEqual([[2, 'Graz']]);
    await users.insert({ tenant: 'third', id: 1, mail: 'm1@acme', town: 'Graz' });
    await users.upsert({ tenant: 'third', id: 1, mail: 'm1@acme', town: 'Linz', seen: 7 });
    await users.upsert({ tenant: 'third', id: 1, mail: null, town: 'Linz' });
    expect(await users.findBy('mail', { mail: 'm1@acme' })).toEqual([]);
    expect((await users.findBy('town', { town: 'Graz' })).map(({ tenant }) => tenant)).toEqual(['acme']);
    expect(await users.delete().where({ tenant: 'acme', town: 'Graz' }).run()).toBe(1);
    expect(await users.delete().where({ town: 'Wien' }).where('id', '>', 4).everywhere().run()).toBe(5);
    for (let n = 5; n < 10; n++) await users.insert({ tenant: 'again', id: n, mail: `m@t${n}`, town: null });
    expect(await faultsOf(router)).toEqual([]);
    expect(await users.checkIndexes()).toMatchObject({ repaired: [], removed: 0, conflicts: [] });
  });

  it('refuse what they could not follow', async () => {
    await expect(users.update({ town: 'x' }).where({ tenant: 'acme' }).run()).rejects.toThrow(
      InvalidQueryError,
    );
    await expect(users.update({ id: 5 }).where({ tenant: 'acme', id: 2 }).run()).rejects.toThrow(
      InvalidQueryError,
    );
    await expect(users.upsert({ tenant: 'acme', id: 2, mail: 'y' })).rejects.toThrow(InvalidValueError);
    await expect(users.findBy('mail', { mail: null } as never)).rejects.toThrow(InvalidQueryError);
    await expect(users.findBy('mail', { mail: 'x', town: 'y' } as never)).rejects.toThrow(InvalidQueryError);
    await expect(users.findBy('age' as never, {} as never)).rejects.toThrow(InvalidValueError);
    await expect(users.insert({ tenant: 'acme', id: 9, mail: 'x'.repeat(1_001) })).rejects.toThrow(
      InvalidValueError,
    );
    expect(new PartialWriteError('', [], '', 0, undefined).retryable).toBe(false);
  });

  it('of many who want the same value at once one gets it, and of many who write one row the last is found', async () => {
    const wanting = Array.from({ length: 12 }, (_, n) =>
      users.upsert({ tenant: `w${n % 4}`, id: n, mail: 'wanted', town: 'Enns' }).then(
        () => 1,
        error => {
          expect(error.code).toBeOneOf([
            'ASHLAR_SHARD_ROUTER_DUPLICATE_ROW',
            'ASHLAR_SHARD_ROUTER_INDEX_BUSY',
          ]);
          return 0;
        },
      ),
    );
    expect((await Promise.all(wanting)).reduce((sum: number, each) => sum + each, 0)).toBe(1);
    expect(await users.findBy('mail', { mail: 'wanted' })).toHaveLength(1);
    await users.upsert({ tenant: 'one', id: 1, mail: 'first', town: null });
    const writing = Array.from({ length: 12 }, (_, n) => {
      const own = users.update({ mail: `one ${n}`, town: `town ${n % 3}` }).where({ tenant: 'one', id: 1 });
      return (n % 4 === 0 ? users.delete().where({ tenant: 'one', id: 1 }) : own).run().catch(() => {});
    });
    await Promise.all(writing);
    const making = Array.from({ length: 12 }, (_, n) =>
      users.upsert({ tenant: 'two', id: 1, mail: `two ${n}`, town: `town ${n % 3}` }).catch(error => {
        expect(error.code).toBe('ASHLAR_SHARD_ROUTER_INDEX_BUSY');
      }),
    );
    await Promise.all(making);
    await users.upsert({ tenant: 'one', id: 1, mail: 'last', town: 'Wels' });
    expect(await faultsOf(router)).toEqual([]);
    expect(await users.checkIndexes()).toMatchObject({ repaired: [], removed: 0, conflicts: [] });
  });
});
