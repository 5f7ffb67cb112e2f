import { startPostgres } from '@workspace/services';
import { postgresCapabilities, QueueTables } from '../../test/postgres/queue-tables.ts';
import { realStage } from './real-stage.ts';
import type { Site } from './site.ts';

export async function postgresSite(): Promise<Site> {
  const leaseMs = 1_000;
  const server = await startPostgres({ own: true });
  return {
    capabilities: postgresCapabilities,
    mostProcesses: 3,
    breaks: true,
    leaseMs,
    async begin(processes) {
      const tables = new QueueTables(server.url);
      await tables.driver().migrate();
      const stage = realStage({
        processes,
        open: () => tables.driver({ leaseMs }),
        break: () => tables.endSessions(),
      });
      return {
        ...stage,
        async end() {
          await stage.end();
          await tables[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
