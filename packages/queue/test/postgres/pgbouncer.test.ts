import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  eventually,
  type PortServer,
  type Postgres,
  startPgBouncer,
  startPostgres,
} from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { group, message, Reader, send, topic } from '../../src/conformance/subject.ts';
import { queueConformance } from '../../src/conformance.ts';
import { postgresCapabilities, QueueTables } from './queue-tables.ts';

const soon = { withinMs: 20_000 };

describeWith('pgbouncer', 'behind PgBouncer in transaction mode', () => {
  let server: Postgres;
  let pooler: PortServer;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
    // Fewer connections than clients, so that statements of one client go through several
    pooler = await startPgBouncer({
      target: server.port,
      config: 'default_pool_size = 3\nmax_client_conn = 200',
    });
  });
  afterAll(async () => {
    await pooler?.stop();
    await server?.stop();
  });

  queueConformance(
    { describe, it },
    async () => {
      const tables = new QueueTables(server.url);
      const connectionString = server.url.replace(`:${server.port}/`, `:${pooler.port}/`);
      const make = () =>
        tables.driver({ prepare: false, timeoutMs: 20_000, pollMs: 200 }, { connectionString });
      const driver = make();
      await driver.migrate();
      return {
        driver,
        other: async () => make(),
        break: () => tables.endSessions(),
        [Symbol.asyncDispose]: () => tables[Symbol.asyncDispose](),
      };
    },
    { name: 'postgres', capabilities: postgresCapabilities, features: { others: true, breaks: true } },
  );

  it('says that no notification comes through, and is woken by one where there is a listenPool', async () => {
    await using tables = new QueueTables(server.url);
    const connectionString = server.url.replace(`:${server.port}/`, `:${pooler.port}/`);
    const warnings: string[] = [];
    const note = (about: unknown) => {
      const { warning } = about as { warning: string };
      if (warning.includes('listenPool')) warnings.push(warning);
    };
    subscribe('ashlar:queue:warning', note);
    onTestFinished(() => void unsubscribe('ashlar:queue:warning', note));
    const deaf = tables.driver({ prepare: false, pollMs: 50 }, { connectionString });
    await deaf.migrate();
    await deaf.declare(topic, group);
    await using polling = new Reader(deaf, topic, group, { each: each => each.ack() });
    await eventually(async () => expect(warnings).toHaveLength(1), soon);
    await send(deaf, topic, message('found'));
    await eventually(async () => expect(polling.texts).toEqual(['found']), soon);
    await polling[Symbol.asyncDispose]();

    const listenPool = new pg.Pool({ connectionString: server.url, max: 1 });
    onTestFinished(() => listenPool.end());
    const woken = tables.driver({ prepare: false, pollMs: 600_000, listenPool }, { connectionString });
    await using reader = new Reader(woken, topic, group, { each: each => each.ack() });
    for (let n = 1; n < 4; n++) {
      await send(deaf, topic, message(`${n}`));
      await eventually(async () => expect(reader.received).toHaveLength(n), soon);
    }
    expect(warnings).toHaveLength(1);
  });
});
