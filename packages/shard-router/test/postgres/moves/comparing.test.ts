import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { touched } from '../../../src/adapters/postgres/moves/comparing/touched.ts';
import {
  compareAll,
  compareTouched,
  type Sides,
} from '../../../src/adapters/postgres/moves/comparing/verifying.ts';
import { type Work, Workers } from '../../../src/adapters/postgres/moves/sessions/workers.ts';
import { context, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const lower = names(10, 'lower');
const [toggled, slow, quick, other] = lower as [string, string, string, string];

describe('rows of a move that are compared while they are written', () => {
  let shards: TwoShards;
  let workers: Workers;
  let work: Work;
  beforeAll(async () => {
    shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    await fill(shards.one, lower, 0);
    const move = lowerHalf('compared');
    const moves = shards.moves();
    for (const step of ['prepare', 'copy', 'lag', 'verify'] as const) await moves[step](move, context());
    await moves.close();
    const [one, two] = shards.servers.map(({ url, port }) => ({
      client: () => new pg.Client({ connectionString: url }),
      replication: `host=127.0.0.1 port=${port} user=postgres dbname=postgres`,
    }));
    workers = new Workers({ one: one!, two: two! });
    work = await workers.begin(move, context());
  }, 60_000);
  afterAll(async () => {
    await workers.close();
    await shards[Symbol.asyncDispose]();
  });

  beforeEach(() => shards.one.query('DELETE FROM ashlar_shards.touched'));

  const insert = (id: string) => shards.one.query('INSERT INTO customer VALUES ($1, upper($1))', [id]);
  const remove = (id: string) => shards.one.query('DELETE FROM customer WHERE id = $1', [id]);

  /** A row is there whenever the source is read, and gone whenever the target is. */
  const toggling = (): Sides => ({
    ...work,
    target: {
      shard: 'two',
      async run<R>(text: string, values: unknown[], signal: AbortSignal) {
        await remove(toggled);
        await work.arrived(signal);
        const rows = await work.target.run<R>(text, values, signal);
        await insert(toggled);
        return rows;
      },
      transaction: (signal, transaction) => work.target.transaction(signal, transaction),
    },
  });

  it.each([
    { what: 'all rows', compare: compareAll },
    { what: 'those that were written', compare: compareTouched },
  ])(
    'do not count as different, of $what, when they go and come back as they were',
    async ({ compare }) => {
      await remove(toggled);
      await insert(toggled);
      expect((await compare(toggling(), work.signal)).differences).toEqual([]);
      const { rows } = await touched(work.source, work.move, work.signal);
      expect(rows).toEqual(new Map([['customer', [JSON.stringify([toggled])]]]));
      expect(await compareTouched(work, work.signal)).toEqual({ rows: 1, differences: [] });
      expect((await touched(work.source, work.move, work.signal)).rows).toEqual(new Map());
    },
    60_000,
  );

  it('are compared again when a transaction that wrote them earlier commits later than others', async () => {
    const writer = await shards.connect('one');
    await writer.query('BEGIN');
    const update = "UPDATE customer SET name = 'written' WHERE id = $1";
    await writer.query(update, [slow]);
    await shards.one.query(update, [quick]);
    let isCommitted = false;
    const sides: Sides = {
      ...work,
      async arrived(signal) {
        if (!isCommitted) await writer.query('COMMIT');
        isCommitted = true;
        await work.arrived(signal);
      },
    };
    expect(await compareTouched(sides, work.signal)).toEqual({ rows: 1, differences: [] });
    const { rows } = await touched(work.source, work.move, work.signal);
    expect(rows).toEqual(new Map([['customer', [JSON.stringify([slow])]]]));
    expect(await compareTouched(work, work.signal)).toEqual({ rows: 1, differences: [] });
  }, 60_000);

  it('count as different when nobody writes them, however often others are written', async () => {
    await shards.two.query(
      `SET session_replication_role = replica; SET ashlar.mover = on; UPDATE customer SET name = NULL WHERE id = '${other}'`,
    );
    const { differences } = await compareAll(toggling(), work.signal);
    expect(differences).toEqual([
      { table: 'customer', missing: [], extra: [], different: [JSON.stringify([other])] },
    ]);
  }, 60_000);
});
