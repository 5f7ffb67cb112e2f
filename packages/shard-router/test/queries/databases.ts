import { afterAll, beforeAll } from 'vitest';
import { type Databases, startDatabases } from '../../faults/differential/databases.ts';

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
