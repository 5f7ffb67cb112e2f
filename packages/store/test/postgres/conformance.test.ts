import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { Tables } from './tables.ts';

describeWith('postgres', 'PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  storeConformance(
    { describe, it },
    async () => {
      const tables = new Tables(server.url);
      const make = () => tables.store({ timeoutMs: 20_000 }, { max: 4 });
      const store = make();
      await store.migrate();
      return {
        store,
        other: async () => make(),
        lose: async () => void (await tables.sql(`TRUNCATE ${tables.table}`)),
        break: () => tables.endSessions(),
        [Symbol.asyncDispose]: () => tables[Symbol.asyncDispose](),
      };
    },
    { name: 'postgresStore', features: { others: true, loses: true, breaks: true } },
  );
});
