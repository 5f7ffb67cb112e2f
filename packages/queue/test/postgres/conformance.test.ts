import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { queueConformance } from '../../src/conformance.ts';
import { postgresCapabilities, QueueTables } from './queue-tables.ts';

describeWith('postgres', 'on PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  queueConformance(
    { describe, it },
    async () => {
      const tables = new QueueTables(server.url);
      const driver = tables.driver();
      await driver.migrate();
      return {
        driver,
        other: async () => tables.driver(),
        break: () => tables.endSessions(),
        [Symbol.asyncDispose]: () => tables[Symbol.asyncDispose](),
      };
    },
    { name: 'postgres', capabilities: postgresCapabilities, features: { others: true, breaks: true } },
  );
});
