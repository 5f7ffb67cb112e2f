import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { memoryDriver, UnroutedError } from '../../../src/index.ts';
import { OutboxSite, Recorder, settles, soon } from '../site.ts';

/** What users of outboxes and inboxes have reported of tables that grow, and of cleaning that holds up the others. */

const late = { withinMs: 60_000 };

describeWith({ own: 'postgres' }, 'reports of cleaning', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ own: true });
  });
  afterAll(() => server?.stop());

  class Site extends OutboxSite {
    readonly inbox: string = `inbox_${this.table}`;

    /** So many records whose time is over. */
    async fill(count: number): Promise<this> {
      await this.sql(`CREATE TABLE ${this.inbox} (name text PRIMARY KEY, fingerprint text NOT NULL, result text,
        handled timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE INDEX ${this.inbox}_handled ON ${this.inbox} (handled);
        INSERT INTO ${this.inbox} SELECT 'old ' || n, 'x', NULL, now() - interval '8 days' FROM generate_series(1, ${count}) AS n`);
      this.afterwards(() => this.sql(`DROP TABLE ${this.inbox}`));
      return this;
    }

    async old(): Promise<number> {
      const [row] = await this.sql(`SELECT count(*)::int AS n FROM ${this.inbox} WHERE name LIKE 'old %'`);
      return row!['n'] as number;
    }
  }

  it('records whose time is over go faster than others come, while messages are handled (zarusz/SlimMessageBus 375, JasperFx/wolverine 3116, Particular/NServiceBus.NHibernate 143)', async () => {
    await using site = await new Site(server.url).fill(12_000);
    const queue = site.queue(memoryDriver());
    await queue.subscribe('order', () => {}, {
      idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox },
    });
    let published = 0;
    await eventually(async () => {
      await queue.publish('order', { n: ++published });
      expect(await site.old()).toBe(0);
    }, late);
    // A thousand a message at most: no statement deletes them all
    expect(published).toBeGreaterThanOrEqual(12);
    await settles(() =>
      expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: published, failed: 0 }),
    );
  });

  it('many who clean, write, relay and put aside at once never wait for each other in a circle (dotnetcore/CAP 1809, dotnetcore/CAP 821, dotnetcore/CAP 313)', async () => {
    await using site = await new Site(server.url).fill(10_000);
    const recorder = new Recorder();
    recorder.answer = ({ id }) =>
      id.startsWith('poison')
        ? { ok: false, outcome: 'NotExecuted', error: new UnroutedError('order') }
        : { ok: true };
    const relays = [1, 2, 3].map(() =>
      site.driver(recorder.driver, { pool: site.newPool(), attempts: 1, pollMs: 1 }),
    );
    const outgoing = site.queue(relays[0]!);
    await relays[0]!.migrate();
    const queues = [1, 2, 3].map(() => site.queue(memoryDriver()));
    for (const queue of queues) {
      await queue.subscribe(
        'order',
        async ({ n }, { tx }) => {
          const id = n % 10 === 0 ? `poison ${n}` : `order ${n}`;
          await outgoing.publish('order', { n }, { tx, id, key: `${n % 7}` });
        },
        {
          idempotency: {
            mode: 'transaction',
            pool: site.newPool(),
            table: site.inbox,
            key: ({ n }: { n: number }) => `${n}`,
          },
        },
      );
    }
    const count = 120;
    const publishing = queues.map(queue =>
      queue.publishMany(
        'order',
        Array.from({ length: count }, (_, n) => ({ n })),
      ),
    );
    const operating = async () => {
      const dead = outgoing.dead('order', 'outbox');
      while (recorder.numbers.length < count * 0.9) await dead.redrive({ limit: 5 });
    };
    await Promise.all([...publishing, operating()]);
    for (const queue of queues) {
      await settles(() =>
        expect(queue.snapshot().subscriptions[0]).toMatchObject({ handled: count, failed: 0 }),
      );
    }
    expect(new Set(recorder.ids).size).toBe(count * 0.9);
    expect(recorder.ids).toHaveLength(count * 0.9);
    await eventually(
      async () => expect(await outgoing.dead('order', 'outbox').count()).toBe(count / 10),
      soon,
    );
    expect(await deadlocks()).toBe(0);
  });

  it('a table from which all is relayed is small again, and its index too (Particular/NServiceBus.Persistence.Sql 575, NikolayS/PgQue 61)', async () => {
    await using site = new OutboxSite(server.url);
    const recorder = new Recorder();
    const driver = site.driver(recorder.driver);
    await driver.migrate();
    const sizes: number[] = [];
    for (let round = 0; round < 8; round++) {
      await site.sql(`INSERT INTO ${site.table} (lane, topic, name, body, rest)
        SELECT n % 64, 'order', 'n' || n, '{"n":0}', '{"headers":{}}' FROM generate_series(1, 5000) AS n`);
      driver.wake();
      await eventually(async () => expect(await site.waiting()).toBe(0), late);
      await site.sql(`VACUUM ${site.table}`);
      const [size] = await site.sql(`SELECT pg_total_relation_size('${site.table}')::int AS bytes`);
      sizes.push(size!['bytes'] as number);
    }
    expect(recorder.numbers).toHaveLength(40_000);
    // Later rounds use again what the ones before have left
    expect(sizes.at(-1), sizes.join()).toBeLessThan(1.5 * sizes[3]!);
  });

  async function deadlocks(): Promise<number> {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query(
      'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()',
    );
    await client.end();
    return rows[0].n;
  }
});
