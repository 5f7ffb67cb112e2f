import { setTimeout as delay } from 'node:timers/promises';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Sessions } from '../../../src/adapters/postgres/sessions.ts';
import type { PostgresDriver } from '../../../src/adapters/postgres.ts';
import { group, message, send, times, topic } from '../../../src/conformance/subject.ts';
import { QueueTables } from '../queue-tables.ts';

/** Blocks that a call of a statement reads, wherever they come from: no figure of time. */
interface Cost {
  readonly calls: number;
  readonly blocks: number;
}

const sharings = { plain: {}, ordered: { ordered: true }, fair: { fair: true } } as const;
type Sharing = keyof typeof sharings;

const statements = {
  claim: 'WITH picked',
  'claim by key': 'WITH RECURSIVE',
  acknowledgment: 'WITH input AS MATERIALIZED (SELECT i.s',
  'look at what is due': 'WITH late',
};

/** Acknowledges whatever it is given, many at once. */
class Consumer implements AsyncDisposable {
  #acknowledged = 0;
  #wake = () => {};
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor(driver: PostgresDriver, sharing: Sharing = 'plain') {
    const options = { prefetch: 100, signal: this.#stop.signal, ...sharings[sharing] };
    this.#ended = (async () => {
      for await (const each of driver.consume(topic, group, options)) {
        void each.ack().then(() => {
          this.#acknowledged++;
          this.#wake();
        });
      }
    })();
  }

  async has(count: number): Promise<void> {
    while (this.#acknowledged < count) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

describeWith({ own: 'postgres' }, 'what postgresDriver costs where dead rows pile up', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ counting: true, config: { autovacuum_naptime: '1s' } });
  });
  afterAll(() => server?.stop());

  async function costs(tables: QueueTables): Promise<Record<keyof typeof statements, Cost>> {
    const entries = Object.entries(statements).map(async ([name, begin]) => {
      const [row] = await tables.sql(
        `SELECT sum(calls)::int AS calls, (sum(shared_blks_hit + shared_blks_read) / sum(calls))::float8 AS blocks
        FROM pg_stat_statements WHERE query LIKE $1 AND query LIKE $2`,
        [`${begin}%`, `%${tables.prefix}_jobs%`],
      );
      return [name, row as unknown as Cost] as const;
    });
    return Object.fromEntries(await Promise.all(entries)) as Record<keyof typeof statements, Cost>;
  }

  /** What messages cost that come one by one after many others. @param open what a transaction has done that stays open */
  async function costsAfter(count: number, sharing: Sharing, open?: string) {
    const keyed = (n: number) => (sharing === 'plain' ? {} : { key: `key ${n % 640}` });
    await using tables = new QueueTables(server.url);
    // When leases end, a look walks over what was settled before that, once or twice
    const driver = tables.driver({ leaseMs: 60_000 });
    await driver.migrate();
    await driver.declare(topic, group);
    await using holder = await tables.admin.connect().then(client => ({
      client,
      [Symbol.asyncDispose]: async () => client.release(true),
    }));
    if (open !== undefined) {
      await holder.client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await holder.client.query(open);
    }
    await using consumer = new Consumer(driver, sharing);
    for (let n = 0; n < count; n += 500) {
      const batch = times(500, index =>
        message(`${n + index}`, { ...keyed(n + index), expiresInMs: 600_000 }),
      );
      await driver.publish(topic, batch);
      await consumer.has(n - 1_000);
    }
    await consumer.has(count);
    let n = count;
    const one = async () => {
      await send(driver, topic, message(`${n}`, keyed(n)));
      await consumer.has(++n);
    };
    // Within two seconds, claims and looks begin behind the dead rows; some messages are enough for that
    const movedAt = performance.now() + 2_500;
    while (performance.now() < movedAt) {
      await one();
      await delay(20);
    }
    // The cheapest of some: what autovacuum does meanwhile may cost a few claims more, and a trend would show in all
    const all: Record<keyof typeof statements, Cost>[] = [];
    for (let window = 0; window < 5; window++) {
      await tables.sql('SELECT pg_stat_statements_reset()');
      for (let round = 0; round < 40; round++) await one();
      all.push(await costs(tables));
    }
    const cheapest = (name: keyof typeof statements) =>
      Math.min(
        ...all
          .map(each => each[name])
          .filter(({ calls }) => calls > 0)
          .map(({ blocks }) => blocks),
      );
    return Object.fromEntries(
      Object.keys(statements).map(name => [name, cheapest(name as keyof typeof statements)]),
    );
  }

  const holders = {
    'under an old snapshot': 'SELECT 1 FROM pg_class LIMIT 1',
    'while a transaction is open that has written': 'CREATE TEMP TABLE elsewhere (n integer)',
  };
  for (const sharing of Object.keys(sharings) as Sharing[]) {
    it(`a ${sharing} claim, an acknowledgment and a look cost at most twice as much ${Object.keys(holders).join(', or ')}`, {
      timeout: 240_000,
    }, async () => {
      const free = await costsAfter(10_000, sharing);
      const claim = sharing === 'plain' ? 'claim' : 'claim by key';
      expect(free[claim]).toBeLessThan(1_000);
      for (const [when, open] of Object.entries(holders)) {
        const held = await costsAfter(10_000, sharing, open);
        for (const name of Object.keys(statements)) {
          // Of a few blocks, one more or less is no trend
          if (free[name] !== Infinity)
            expect(held[name], `blocks of a ${name} ${when}`).toBeLessThan(2 * free[name]! + 30);
        }
      }
    });
  }

  it('sweeps all that is too old at once, however much that is', async () => {
    await using tables = new QueueTables(server.url);
    const driver = tables.driver({ deduplicationMs: 1_000 });
    await driver.migrate();
    await driver.declare(topic, group);
    await tables.sql(`INSERT INTO ${tables.prefix}_ids (name, at)
      SELECT gen_random_uuid(), now() - interval '1 hour' FROM generate_series(1, 4500) AS n`);
    await using consumer = new Consumer(driver);
    await send(driver, topic, message('1'));
    await consumer.has(1);
    await eventually(
      async () => {
        const [row] = await tables.sql(
          `SELECT count(*)::int AS n FROM ${tables.prefix}_ids WHERE at < now() - interval '59 minutes'`,
        );
        expect(row).toEqual({ n: 0 });
      },
      { withinMs: 14_000 },
    );
  });

  it('a plan that was made for an empty table is not kept', async () => {
    await using tables = new QueueTables(server.url);
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    pool.on('error', () => {});
    onTestFinished(() => pool.end());
    const sessions = new Sessions({ pool, timeoutMs: 5_000, prepare: true, plansMs: 0 });
    const name = `${tables.prefix}_grown`;
    await tables.sql(
      `CREATE TABLE ${name} (id bigint PRIMARY KEY, filler text) WITH (autovacuum_enabled = false)`,
    );
    await tables.sql(`INSERT INTO ${name} VALUES (0, '')`);
    await tables.sql(`VACUUM ANALYZE ${name}`);
    const find = () =>
      sessions.run('a look', 'NotExecuted', `SELECT filler FROM ${name} WHERE id = $1::bigint`, ['0']);
    for (let n = 0; n < 10; n++) await find();
    await tables.sql(`INSERT INTO ${name} SELECT n, repeat('x', 500) FROM generate_series(1, 10000) AS n`);
    await tables.sql('SELECT pg_stat_statements_reset()');
    await find();
    await tables.sql(`DROP TABLE ${name}`);
    const [row] = await tables.sql(
      `SELECT shared_blks_hit + shared_blks_read AS blocks FROM pg_stat_statements WHERE query LIKE 'SELECT filler%'`,
    );
    expect(Number(row!['blocks'])).toBeLessThan(50);
  });
});
