import { memoryStore } from '@ashlar/store';
import { expect, it } from 'vitest';
import { type MemoryClient, type MemoryShard, memoryShards } from '../../src/index.ts';
import type { Statement } from '../../src/tables/statement.ts';
import { altered } from '../support/altered.ts';
import { changing, moving } from './transactions.ts';
import { faultsOf, options, sweep, tenantsOn, type Users, usersRouter } from './users.ts';

/** What a router sends instead of a statement about entries; `nothing`, of which it believes that it was done. */
type Mutant = (statement: Statement) => Statement | 'nothing';

const isTaking = (statement: Statement) =>
  statement.kind === 'update' && statement.set['claim'] !== undefined && statement.set['live'] === false;

const mutants: Readonly<Record<string, Mutant>> = {
  'writes rows without a claim': each => (each.kind === 'insert' ? 'nothing' : each),
  'confirms a claim before the commit': each => {
    if (each.kind === 'insert')
      return { ...each, rows: each.rows.map(row => ({ ...row, live: true, former: '' })) };
    if (each.kind === 'update' && isTaking(each))
      return { ...each, set: { ...each.set, live: true, former: '' } };
    return each;
  },
  'moves a row without its unique value': each => (isTaking(each) ? 'nothing' : each),
  'frees a value before the commit, and gives nothing back': each =>
    each.kind === 'update' && isTaking(each) ? { ...each, set: { ...each.set, former: '' } } : each,
};

const operations: Readonly<Record<string, (router: Users, tenant: string) => Promise<unknown>>> = {
  transaction: changing,
  move: moving,
};

/** What is wrong, once a process with this bug has died before one of its calls, or after all. */
async function faultsWith(mutant: Mutant, operation: (router: Users, tenant: string) => Promise<unknown>) {
  for (let n = 1; ; n++) {
    const memory = memoryShards(['one', 'two']);
    const store = memoryStore();
    const router = usersRouter(memory, store, options);
    await router.ready();
    await router.table('users').insert({ tenant: 'a', id: 1, mail: 'old', town: 'Wien' });
    let calls = 0;
    const broken = (shard: MemoryShard) =>
      Object.fromEntries(
        (['read', 'write', 'transaction'] as const).map(method => [
          method,
          async (work: (client: MemoryClient) => Promise<unknown>, scope?: object) => {
            if (++calls >= n) throw new Error('the process is dead');
            return shard[method](
              client =>
                work({
                  ...client,
                  execute: async statement => {
                    const isOfEntries = statement.table.name.startsWith('users_by_');
                    const sent = isOfEntries ? mutant(statement) : statement;
                    return sent === 'nothing' ? { rows: [], count: 1 } : client.execute(sent);
                  },
                }),
              scope,
            );
          },
        ]),
      );
    const shards = Object.entries(memory).map(([name, shard]) => [
      name,
      altered(shard, broken(shard) as never),
    ]);
    const process = usersRouter(Object.fromEntries(shards), store, options);
    try {
      await process.ready();
      const [other] = tenantsOn(router, [router.route('a').shard === 'one' ? 'two' : 'one']);
      await operation(process, other!).catch(() => {});
      const left = (await sweep(router, memory, store, 10)).filter(each => !each.startsWith('town'));
      const faults = [...(await faultsOf(router)), ...left];
      if (faults.length > 0 || calls < n) return faults;
    } finally {
      await process.close();
      await router.close();
      await store.close();
    }
  }
}

it.each(Object.entries(operations))(
  'a router without a bug leaves nothing wrong in a %s',
  async (_, operation) => {
    expect(await faultsWith(each => each, operation)).toEqual([]);
  },
  300_000,
);

it.each(Object.entries(mutants))(
  'a router that %s is caught',
  async (_, mutant) => {
    const found = [];
    for (const operation of Object.values(operations)) found.push(...(await faultsWith(mutant, operation)));
    expect(found).not.toEqual([]);
  },
  300_000,
);
