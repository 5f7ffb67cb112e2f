import { otherPostgres, withOtherPostgres } from '@workspace/services/versions';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresMigrations } from '../../src/adapters/postgres.ts';
import { counts, fill, moverOf, names, type TwoShards, twoShards } from './shards.ts';

const customers = names(40, 'lower');

/** What databases of two versions may describe in different words. */
const more = `
  CREATE DOMAIN amount AS numeric(12, 2) CHECK (VALUE >= 0);
  ALTER TABLE customer ADD mail text NOT NULL DEFAULT lower('A@B') CHECK (mail LIKE '%@%'),
    ADD rank integer NOT NULL DEFAULT 7, ADD at timestamptz DEFAULT now() - interval '1 day',
    ADD twice integer GENERATED ALWAYS AS (rank * 2) STORED, ADD tags text[] NOT NULL DEFAULT ARRAY['new'::text],
    ADD state varchar(8) CHECK (state IN ('open', 'paid') OR state IS NULL), ADD paid amount;
  CREATE INDEX ON customer (lower(name) text_pattern_ops, rank DESC NULLS LAST) INCLUDE (mail) WHERE rank BETWEEN 1 AND 9;
  CREATE UNIQUE INDEX ON purchase (customer, at, (note ->> 'n'), id) NULLS NOT DISTINCT;
  CREATE INDEX ON purchase USING gin (note jsonb_path_ops);
  ALTER TABLE purchase ADD CHECK (total IS NULL OR total <> ALL (ARRAY[-1, -2]::numeric[]))`;

describe('two versions of PostgreSQL', withOtherPostgres, () => {
  let shards: TwoShards;
  beforeAll(async () => {
    shards = await twoShards({}, { programs: otherPostgres });
    for (const client of [shards.one, shards.two]) await client.query(more);
    await fill(shards.one, customers, 20);
  }, 120_000);
  afterAll(() => shards?.[Symbol.asyncDispose]());

  it('are two', async () => {
    const versions = await Promise.all(
      [shards.one, shards.two].map(
        async client => (await client.query('SHOW server_version')).rows[0].server_version as string,
      ),
    );
    expect(Number.parseInt(versions[0]!, 10)).not.toBe(Number.parseInt(versions[1]!, 10));
  });

  it('have no drift where the same migrations have run', async () => {
    const client = (at: 0 | 1) => () => new pg.Client({ connectionString: shards.servers[at].url });
    const migrations = postgresMigrations({
      shards: { one: { client: client(0) }, two: { client: client(1) } },
    });
    expect((await migrations.drift()).filter(({ kind }) => kind !== 'database')).toEqual([]);
    await shards.two.query('ALTER TABLE customer ALTER rank DROP NOT NULL');
    expect(await migrations.drift()).toContainEqual(
      expect.objectContaining({ kind: 'column', name: 'rank' }),
    );
    await shards.two.query('ALTER TABLE customer ALTER rank SET NOT NULL');
    await migrations.close();
  });

  it('have rows moved from the one to the other while they are written, brought back, and moved for good', async () => {
    const mover = await moverOf(shards.moves());
    let n = 0;
    const write = async (client: pg.Client) => {
      const customer = customers[n % customers.length]!;
      await client.query('INSERT INTO purchase (customer, id, total) VALUES ($1, $2, 1.5)', [
        customer,
        10_000 + ++n,
      ]);
      await client.query('UPDATE customer SET rank = rank + 1 WHERE id = $1', [customer]);
    };
    const total = () => customers.length * 20 + n;
    let [from, to] = [shards.one, shards.two];
    let names = ['one', 'two'] as [string, string];
    for (let turn = 0; turn < 2; turn++) {
      const [move] = await mover.begin({
        kind: 'move',
        from: names[0],
        to: names[1],
        slices: [{ from: 0, to: 512 }],
      });
      const run = mover.run(move!.id);
      for await (const { step } of run) if (step === 'copy' || step === 'catchUp') await write(from);
      expect(await run.done).toMatchObject({ step: 'committed' });
      await expect(write(from)).rejects.toMatchObject({ code: 'AS409' });
      n--;
      await write(to);
      expect(await counts(to)).toEqual({ customers: customers.length, purchases: total() });
      await mover.rollback(move!.id);
      await write(from);
      expect(await counts(from)).toEqual({ customers: customers.length, purchases: total() });
      expect((await mover.verify(move!.id)).differences).toEqual([]);
      await mover.rollback(move!.id);
      await mover.finish(move!.id);
      expect(await counts(from)).toEqual({ customers: 0, purchases: 0 });
      expect(await counts(to)).toEqual({ customers: customers.length, purchases: total() });
      expect(Object.values((await mover.status()).leaks).flat()).toEqual([]);
      [from, to] = [to, from];
      names = [names[1], names[0]];
    }
  }, 300_000);
});
