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
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Sessions } from '../../../src/adapters/postgres/sessions.ts';
import { group, message, Reader, send, times, topic } from '../../../src/conformance/subject.ts';
import { queueConformance } from '../../../src/conformance.ts';
import { runOne, type Session, transact } from '../../../src/transactions/pool.ts';
import { sideBySide } from '../../support/side-by-side.ts';
import { postgresCapabilities, QueueTables } from '../queue-tables.ts';

const soon = { withinMs: 20_000 };

/** A statement that waits for whoever holds it. */
const lock = 4_711;
const waiting = `SELECT pg_advisory_xact_lock(${lock})::text AS held`;

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
    sideBySide,
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

  const work = {
    'a statement of its own': (pool: pg.Pool) => runOne(pool, 1_000, waiting, []),
    'a statement of a transaction': (pool: pg.Pool) =>
      transact(pool, { timeoutMs: 1_000 }, (session: Session) => session.query(waiting)),
    'a statement of the driver': (pool: pg.Pool) =>
      new Sessions({ pool, timeoutMs: 1_000, prepare: false }).run('a wait', 'Unknown', waiting),
  };
  for (const [what, run] of Object.entries(work)) {
    it(`${what} that is not answered in time is canceled on the server, which would not notice that its client has gone (pgbouncer/pgbouncer 63, pgbouncer/pgbouncer 497, pgbouncer/pgbouncer 801)`, async () => {
      const holder = new pg.Client({ connectionString: server.url });
      await holder.connect();
      onTestFinished(() => holder.end());
      await holder.query(`SELECT pg_advisory_lock(${lock})`);
      const connectionString = server.url.replace(`:${server.port}/`, `:${pooler.port}/`);
      const pool = new pg.Pool({ connectionString, max: 3 });
      pool.on('error', () => {});
      onTestFinished(() => pool.end());
      for (const round of times(2, n => n)) {
        const all = await Promise.allSettled(times(3, () => run(pool)));
        expect(all, `round ${round}`).toMatchObject(
          times(3, () => ({ status: 'rejected', reason: { code: 'ASHLAR_QUEUE_TIMEOUT' } })),
        );
        await eventually(async () => {
          const { rows } = await holder.query(
            `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = ${lock} AND NOT granted`,
          );
          expect(rows).toEqual([{ n: 0 }]);
        }, soon);
      }
    });
  }

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
