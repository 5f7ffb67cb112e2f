import { type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { queueConformance } from '../../src/conformance.ts';
import { postgresCapabilities, QueueTables } from '../postgres/queue-tables.ts';
import { OutboxSite } from './site.ts';

describeWith('postgres', 'an outbox over a driver', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  queueConformance(
    { describe, it },
    async () => {
      const site = new OutboxSite(server.url);
      const tables = new QueueTables(server.url);
      const driver = site.driver(tables.driver(), { drainMs: 0 });
      await tables.driver().migrate();
      await driver.migrate();
      return {
        driver,
        other: async () => site.driver(tables.driver(), { relay: false }),
        break: () => tables.endSessions(),
        async [Symbol.asyncDispose]() {
          await site[Symbol.asyncDispose]();
          await tables[Symbol.asyncDispose]();
        },
      };
    },
    {
      name: 'outbox over postgres',
      capabilities: postgresCapabilities,
      features: { others: true, breaks: true },
    },
  );
});
