import { ReplicaSet } from '@ashlar/replica-failover';
import { postgresServers } from '@ashlar/replica-failover/postgres';
import type { ManagedStore } from '@ashlar/store';
import pg from 'pg';
import { ShardRouter } from '../../src/index.ts';

/** Accounts on three shards, between which money is transferred: the sum never changes, and each transfer has a row. */
export const tables = {
  accounts: { key: ['owner'], primaryKey: ['owner'], columns: { owner: 'text', balance: 'int8' } },
  transfers: {
    key: ['owner'],
    primaryKey: ['owner', 'id'],
    columns: { owner: 'text', id: 'text', amount: 'int8' },
  },
} as const;

export const ddl = `CREATE TABLE accounts (owner text PRIMARY KEY, balance int8 NOT NULL CHECK (balance >= 0));
  CREATE TABLE transfers (owner text, id text, amount int8 NOT NULL, PRIMARY KEY (owner, id))`;

export type Accounts = ShardRouter<unknown, typeof tables>;

/** An owner on each shard of these, in the order of the names. */
export function ownersOn(router: Accounts, shards: readonly string[]): string[] {
  return shards.map(shard => {
    for (let i = 0; ; i++) if (router.route(`owner ${i}`).shard === shard) return `owner ${i}`;
  });
}

export async function transfer(
  router: Accounts,
  from: string,
  to: readonly string[],
  id: string,
  timeoutMs = 10_000,
): Promise<void> {
  await router.transaction(
    [from, ...to],
    async tx => {
      for (const [owner, amount] of [
        [from, BigInt(-to.length)],
        ...to.map(each => [each, 1n] as const),
      ] as const) {
        const account = await tx.table('accounts').get({ owner });
        const balance = account!.balance! + amount;
        await tx.table('accounts').update({ balance }).where({ owner }).run();
        await tx.table('transfers').insert({ owner, id, amount });
      }
    },
    { twoPhase: true, isolation: 'repeatable read', timeoutMs },
  );
}

/** What is there: the sum of all money, and for each transfer how many of its rows. */
export async function audit(
  router: Accounts,
): Promise<{ readonly sum: bigint; readonly transfers: Readonly<Record<string, number>> }> {
  const accounts = await router.table('accounts').select().everywhere().all();
  const rows = await router.table('transfers').select().everywhere().all();
  const transfers: Record<string, number> = {};
  for (const { id } of rows) transfers[id] = (transfers[id] ?? 0) + 1;
  return { sum: accounts.reduce((sum, { balance }) => sum + balance!, 0n), transfers };
}

/** Shards of PostgreSQL at these addresses. @param newClient makes their clients */
export async function postgresShards(
  urls: Readonly<Record<string, string>>,
  newClient: (url: string) => pg.Client = url => new pg.Client({ connectionString: url }),
): Promise<Readonly<Record<string, ReplicaSet<pg.Client>>>> {
  const connected = Object.entries(urls).map(async ([name, url]) => {
    const servers = postgresServers({ servers: [{ id: name, connection: url }], newClient });
    return [name, await ReplicaSet.connect({ name, servers })] as const;
  });
  return Object.fromEntries(await Promise.all(connected));
}

export function accountsRouter(
  shards: Readonly<Record<string, unknown>>,
  store: ManagedStore,
  options: { readonly sweepMs?: number; readonly inDoubtMs?: number } = {},
): Accounts {
  return new ShardRouter<unknown, typeof tables>({
    shards: shards as never,
    store,
    key: 'text',
    tables,
    twoPhase: true,
    ...options,
  });
}
