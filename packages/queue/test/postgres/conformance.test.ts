import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll } from 'vitest';
import { queueConformance } from '../../src/conformance.ts';
import { sideBySide } from '../support/side-by-side.ts';
import { postgresCapabilities, QueueTables } from './queue-tables.ts';

describeWith('postgres', 'on PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  queueConformance(
    sideBySide,
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
