import { startPostgres, startTcpProxy } from '@workspace/services';
import { postgresCapabilities, QueueTables } from '../../test/postgres/queue-tables.ts';
import { realStage } from './real-stage.ts';
import { type Site, timeoutMs } from './site.ts';

/** @param loses whether answers are lost */
export async function postgresSite(loses: boolean): Promise<Site> {
  const leaseMs = 1_000;
  const server = await startPostgres({ own: true });
  const proxy = await startTcpProxy({ target: server.port });
  const connectionString = server.url.replace(`:${server.port}/`, `:${proxy.port}/`);
  return {
    capabilities: postgresCapabilities,
    mostProcesses: 3,
    breaks: true,
    loses,
    leaseMs,
    async begin(processes) {
      const tables = new QueueTables(server.url);
      // Its sessions are on another way
      await tables.driver({}, { application_name: `${tables.prefix}_near` }).migrate();
      const stage = realStage({
        processes,
        open: () => tables.driver({ leaseMs, timeoutMs }, { connectionString }),
        break: () => tables.endSessions(),
        proxy,
        note: () => tables.noteSessions(),
      });
      return {
        ...stage,
        async end() {
          await stage.end();
          await tables[Symbol.asyncDispose]();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await server.stop();
    },
  };
}
