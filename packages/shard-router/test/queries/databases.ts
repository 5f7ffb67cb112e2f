import { afterAll, beforeAll } from 'vitest';
import { type Databases, startDatabases } from '../../faults/differential/databases.ts';

export { shardNames } from '../../faults/differential/databases.ts';

/** Databases for the tests of a file. */
export function databases(ddl: string): Databases {
  const given = {} as Databases;
  beforeAll(async () => {
    Object.assign(given, await startDatabases(ddl));
  });
  afterAll(() => given[Symbol.asyncDispose]?.());
  return given;
}
