import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { eventually, type Postgres, startPostgres } from '@workspace/services';
import { describeWith } from '@workspace/services/vitest';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { memoryDriver, type Queue, type Transaction, type TransactionContext } from '../../src/index.ts';
import { transactionOf } from '../../src/transactions/transaction.ts';
import { type Messages, OutboxSite, Recorder } from '../outbox/site.ts';
import { clients } from './clients.ts';

const soon = { withinMs: Number(process.env['SOON'] ?? 20_000) };

describeWith('postgres', 'idempotency of mode transaction', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.stop());

  class Site extends OutboxSite {
    readonly inbox: string = `inbox_${this.table}`;
    readonly effects: string = `effects_${this.table}`;

    async make(): Promise<this> {
      await this.sql(`CREATE TABLE ${this.effects} (n float8)`);
      this.afterwards(() => this.sql(`DROP TABLE IF EXISTS ${this.inbox}, ${this.effects}`));
      return this;
    }

    effect(n: number): string {
      return `INSERT INTO ${this.effects} VALUES (${n}) RETURNING n::text`;
    }

    async found(): Promise<unknown[]> {
      return (await this.sql(`SELECT n FROM ${this.effects} ORDER BY n`)).map(({ n }) => n);
    }
  }

  for (const [name, open] of Object.entries(clients)) {
    it(`commits effect, record and outgoing messages of a handler with a transaction of ${name}, or none`, async () => {
      await using site = await new Site(server.url).make();
      const recorder = new Recorder();
      const queue = site.queue(site.driver(recorder.driver));
      const work = site.queue(memoryDriver());
      const client = await open(server.url);
      site.afterwards(() => client.close());
      let calls = 0;
      await queue.declare('order');
      await work.subscribe(
        'order',
        async ({ n }, { tx }: TransactionContext<Transaction>) => {
          await (await transactionOf(tx)).query(site.effect(n), []);
          await queue.publish('order', { n }, { tx });
          if (++calls === 1) throw new Error('no');
        },
        {
          backoff: { firstMs: 1 },
          idempotency: {
            mode: 'transaction',
            begin: run => client.transaction(run),
            table: site.inbox,
            key: ({ n }: Messages['order']) => String(n),
          },
        },
      );
      await work.publish('order', { n: 1 });
      await eventually(async () => expect(recorder.numbers).toEqual([1]), soon);
      await work.publish('order', { n: 1 });
      await eventually(async () => expect(handled(work)).toBe(2), soon);
      expect(await site.found()).toEqual([1]);
      expect(calls).toBe(2);
      expect(recorder.numbers).toEqual([1]);
    });
  }

  it('gives each handler a connection of pg, which refuses to be used when the handler has ended', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    let kept: TransactionContext['tx'] | undefined;
    await work.subscribe(
      'order',
      async ({ n }, { tx }) => {
        await tx.query(`INSERT INTO ${site.effects} VALUES ($1)`, [n]);
        kept = tx;
      },
      { idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox } },
    );
    await work.publish('order', { n: 1 }, { id: 'one' });
    await eventually(async () => expect(handled(work)).toBe(1), soon);
    expect(await site.found()).toEqual([1]);
    const ended = { code: 'ASHLAR_QUEUE_TRANSACTION_ENDED', outcome: 'NotExecuted', retryable: false };
    await expect(kept?.query('SELECT 1')).rejects.toMatchObject(ended);
    const [record] = await site.sql(`SELECT name FROM ${site.inbox}`);
    expect(record).toEqual({ name: 'default:order:one' });
  });

  it('handles concurrent repetitions once', async () => {
    await using site = await new Site(server.url).make();
    const queues = [1, 2, 3].map(() => site.queue(memoryDriver()));
    for (const queue of queues) {
      await queue.subscribe('order', async ({ n }, { tx }) => void (await tx.query(site.effect(n))), {
        idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox },
      });
    }
    const all = Array.from({ length: 40 }, (_, n) => n);
    await Promise.all(
      queues.flatMap(queue => all.map(n => queue.publish('order', { n }, { id: `order-${n}` }))),
    );
    await eventually(async () => {
      for (const queue of queues) expect(handled(queue)).toBe(all.length);
    }, soon);
    expect(await site.found()).toEqual(all);
  });

  it('gives a message back while another transaction handles it, and takes its record afterwards', async () => {
    await using site = await new Site(server.url).make();
    const [one, two] = [site.queue(memoryDriver()), site.queue(memoryDriver())];
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    let calls = 0;
    for (const queue of [one, two]) {
      await queue.subscribe(
        'order',
        async ({ n }, { tx }) => {
          calls++;
          await tx.query(site.effect(n));
          await released;
        },
        { idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox } },
      );
    }
    await one.publish('order', { n: 1 }, { id: 'x' });
    await eventually(async () => expect(calls).toBe(1), soon);
    await two.publish('order', { n: 1 }, { id: 'x' });
    await eventually(async () => expect(await two.stats('order')).toMatchObject({ delayed: 1 }), soon);
    release();
    await eventually(async () => expect([handled(one), handled(two)]).toEqual([1, 1]), soon);
    expect(calls).toBe(1);
    expect(two.snapshot().subscriptions[0]).toMatchObject({ failed: 0 });
  });

  it('commits nothing of a handler that has caught the error of a statement', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    let calls = 0;
    await work.subscribe(
      'order',
      async ({ n }, { tx }) => {
        await tx.query(site.effect(n));
        if (++calls === 1) await tx.query('SELECT 1 / 0').catch(() => {});
      },
      {
        backoff: { firstMs: 1 },
        idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox },
      },
    );
    await work.publish('order', { n: 1 });
    await eventually(async () => expect(handled(work)).toBe(1), soon);
    expect(await site.found()).toEqual([1]);
    expect(calls).toBe(2);
    expect(work.snapshot().subscriptions[0]).toMatchObject({ failed: 1 });
  });

  it('rolls back a handler whose time is over, and lets no other begin before that', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    let calls = 0;
    let release = () => {};
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    await work.subscribe(
      'order',
      async ({ n }, { tx }) => {
        const call = ++calls;
        await tx.query(site.effect(n + call / 10));
        if (call === 1) await released; // It does not heed its signal
      },
      {
        timeoutMs: 50,
        backoff: { firstMs: 1 },
        idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox },
      },
    );
    await work.publish('order', { n: 1 });
    // Tried again and given back, as the first still has its transaction
    await eventually(async () => expect(await work.stats('order')).toMatchObject({ delayed: 1 }), soon);
    await eventually(async () => expect(work.snapshot().subscriptions[0]?.failed).toBe(1), soon);
    expect(calls).toBe(1);
    release();
    await eventually(async () => expect(handled(work)).toBe(1), soon);
    expect(await site.found()).toEqual([1.2]);
  });

  it('rolls back a transaction that is left idle', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    let calls = 0;
    await work.subscribe(
      'order',
      async ({ n }, { tx }) => {
        const call = ++calls;
        await tx.query(site.effect(n + call / 10));
        if (call > 1) return;
        // As long as the server lets it: then the connection is gone
        await eventually(async () => {
          const [row] = await site.sql(
            `SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%${site.effects}%'`,
          );
          expect(row?.['count']).toBe('0');
        }, soon);
      },
      {
        backoff: { firstMs: 1 },
        idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox, idleMs: 100 },
      },
    );
    await work.publish('order', { n: 1 });
    await eventually(async () => expect(handled(work)).toBe(1), soon);
    expect(await site.found()).toEqual([1.2]);
  });

  it('buries another payload under the same key, and keeps results', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    const results: unknown[] = [];
    await work.subscribe('order', ({ n }) => ({ n }), {
      results: true,
      idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox, key: () => 'same' },
    });
    await work.publish('order', { n: 1 }, { id: 'a' });
    await eventually(async () => expect(handled(work)).toBe(1), soon);
    await work.publish('order', { n: 1 }, { id: 'b' });
    await work.publish('order', { n: 2 }, { id: 'c' });
    await eventually(async () => expect(handled(work)).toBe(2), soon);
    for (const id of ['a', 'b']) results.push((await work.find('order', id))?.result);
    expect(results).toEqual([{ n: 1 }, { n: 1 }]);
    await eventually(async () => expect(await work.dead('order').count()).toBe(1), soon);
    for await (const { id, reason } of work.dead('order')) {
      expect({ id, reason }).toMatchObject({ id: 'c', reason: expect.stringMatching(/another payload/) });
    }
  });

  it('deletes records when their time is over', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    await site.sql(`CREATE TABLE ${site.inbox} (name text PRIMARY KEY, fingerprint text NOT NULL, result text,
      handled timestamptz NOT NULL DEFAULT clock_timestamp());
      INSERT INTO ${site.inbox} SELECT 'old-' || n, 'x', NULL, now() - interval '8 days' FROM generate_series(1, 10) AS n;
      INSERT INTO ${site.inbox} VALUES ('young', 'x', NULL, now() - interval '6 days')`);
    await work.subscribe('order', () => {}, {
      idempotency: { mode: 'transaction', pool: site.pool, table: site.inbox },
    });
    await work.publish('order', { n: 1 }, { id: 'x' });
    await eventually(async () => {
      const rows = await site.sql(`SELECT name FROM ${site.inbox} ORDER BY name`);
      expect(rows.map(({ name }) => name)).toEqual(['default:order:x', 'young']);
    }, soon);
  });

  it('charges no failure while the database is away', async () => {
    await using site = await new Site(server.url).make();
    const work = site.queue(memoryDriver());
    let isAway = true;
    const pool = { connect: () => (isAway ? Promise.reject(new Error('refused')) : site.pool.connect()) };
    await work.subscribe('order', async ({ n }, { tx }) => void (await tx.query(site.effect(n))), {
      attempts: 1,
      idempotency: { mode: 'transaction', pool, table: site.inbox },
    });
    await work.publish('order', { n: 1 });
    await eventually(async () => expect(await work.stats('order')).toMatchObject({ delayed: 1 }), soon);
    isAway = false;
    await eventually(async () => expect(handled(work)).toBe(1), soon);
    expect(await site.found()).toEqual([1]);
  });

  const troubles: readonly {
    readonly what: string;
    readonly options?: string;
    begin?(site: Site): Promise<unknown>;
    /** Absent where it mends itself. */
    end?(site: Site): Promise<unknown>;
  }[] = [
    { what: 'a server that only reads, as after a failover', options: '-c default_transaction_read_only=on' },
    { what: 'a role that may not write', options: '-c role=pg_monitor' },
    {
      what: 'a table of records that has lost a column',
      begin: site => site.sql(`ALTER TABLE ${site.inbox} RENAME fingerprint TO other`),
      end: site => site.sql(`ALTER TABLE ${site.inbox} RENAME other TO fingerprint`),
    },
    {
      what: 'a table of records that was dropped, and makes it again',
      begin: site => site.sql(`DROP TABLE ${site.inbox}`),
    },
  ];
  for (const { what, options, begin, end } of troubles) {
    it(`charges no failure, as no handler is called, for ${what}`, async () => {
      await using site = await new Site(server.url).make();
      const work = site.queue(memoryDriver());
      let within = site.pool;
      await work.subscribe('order', async ({ n }, { tx }) => void (await tx.query(site.effect(n))), {
        attempts: 1,
        idempotency: {
          mode: 'transaction',
          pool: { connect: () => within.connect() },
          table: site.inbox,
        },
      });
      await work.publish('order', { n: 1 });
      await eventually(async () => expect(handled(work)).toBe(1), soon);
      await begin?.(site);
      if (options !== undefined) within = site.newPool({ options });
      const postponed = new Promise(resolve => {
        subscribe('ashlar:queue:postponed', resolve);
        onTestFinished(() => void unsubscribe('ashlar:queue:postponed', resolve));
      });
      await work.publish('order', { n: 2 });
      expect(await postponed).toMatchObject({ error: { code: 'ASHLAR_QUEUE_ONCE_UNAVAILABLE' } });
      await end?.(site);
      within = site.pool;
      await eventually(async () => expect(handled(work)).toBe(2), soon);
      expect(work.snapshot().subscriptions[0]).toMatchObject({ failed: 0, dead: 0 });
      expect(await site.found()).toEqual([1, 2]);
    });
  }

  it('asks for either a pool or a function that begins', async () => {
    await using site = new Site(server.url);
    const work = site.queue(memoryDriver());
    const idempotency = { mode: 'transaction' };
    const subscribed = work.subscribe('order', () => {}, { idempotency } as never);
    await expect(subscribed).rejects.toThrow(/either a `pool` or a `begin`/);
  });
});

function handled(queue: Pick<Queue<Messages, never>, 'snapshot'>): number | undefined {
  return queue.snapshot().subscriptions[0]?.handled;
}
