import type { Executor } from '@ashlar/replica-failover/executor';
import { memoryStore } from '@ashlar/store';
import { afterAll, beforeAll } from 'vitest';
import { type Databases, startDatabases } from '../../faults/differential/databases.ts';
import { ShardRouter } from '../../src/router.ts';
import type { Tables } from '../../src/tables/table.ts';
import { readyRouter } from '../support/ready-router.ts';

export { shardNames } from '../../faults/differential/databases.ts';

/** Databases for the tests of a file. */
export function databases(ddl: string, config?: Parameters<typeof startDatabases>[1]): Databases {
  const given = {} as Databases;
  beforeAll(async () => {
    Object.assign(given, await startDatabases(ddl, config));
  });
  afterAll(() => given[Symbol.asyncDispose]?.());
  return given;
}

/** A router over these shards, with a store of its own, which ends with the test. */
export function opened<C, const T extends Tables>(
  shards: Readonly<Record<string, Executor<C>>>,
  tables: T,
): Promise<ShardRouter<C, T>> {
  return readyRouter(store => new ShardRouter({ shards, store, key: 'int8', tables }));
}

/** The same, with rows that are put there before the tests. */
export async function filled<C, const T extends Tables>(
  shards: Readonly<Record<string, Executor<C>>>,
  tables: T,
  fill: (router: ShardRouter<C, T>) => Promise<void>,
): Promise<void> {
  await using store = memoryStore();
  await using router = new ShardRouter<C, T>({ shards, store, key: 'int8', tables });
  await router.ready();
  await fill(router);
}
