import { eventually } from '@workspace/services';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresMigrations } from '../../../src/adapters/postgres.ts';
import { context, fill, lowerHalf, names, type TwoShards, twoShards } from '../shards.ts';

const withinMs = 30_000;
const [lower, upper] = [names(20, 'lower'), names(180, 'upper')];

// It lets others pass only after their `deadlock_timeout`, which is longer than anybody is to wait behind a move
describe('a vacuum of the server that takes hours', () => {
  let shards: TwoShards;
  beforeAll(async () => {
    const hours = {
      autovacuum_naptime: '1s',
      autovacuum_vacuum_cost_delay: '100ms',
      autovacuum_vacuum_cost_limit: 1,
    };
    shards = await twoShards({
      config: { ...hours, deadlock_timeout: '1h', wal_retrieve_retry_interval: '100ms' },
    });
    await fill(shards.one, [...lower, ...upper], 40);
  }, 60_000);
  afterAll(() => shards[Symbol.asyncDispose]());

  async function vacuumed(): Promise<void> {
    const isUnderWay = async () => {
      const { rows } = await shards.one.query(
        "SELECT FROM pg_stat_progress_vacuum WHERE relid = 'purchase'::regclass",
      );
      return rows.length > 0;
    };
    if (await isUnderWay()) return;
    // Rows that stay: those behind the fence cannot be written
    await shards.one.query('UPDATE purchase SET total = total WHERE customer = ANY ($1)', [upper]);
    await eventually(async () => expect(await isUnderWay()).toBe(true), { withinMs });
  }

  it('gives way to the copy and the fence of a move', async () => {
    const [moves, move] = [shards.moves(), lowerHalf('vacuumed')];
    await moves.prepare(move, context());
    await vacuumed();
    await moves.copy(move, context());
    await moves.verify(move, context());
    await vacuumed();
    await moves.fence(move, context(), 1_000);
    await moves.abort(move, context());
  }, 120_000);

  it('gives way to a migration', async () => {
    const [{ url }] = shards.servers;
    await using migrations = postgresMigrations({
      shards: { one: { client: () => new pg.Client({ connectionString: url }) } },
    });
    await vacuumed();
    const report = await migrations.run([
      { name: 'note', sql: 'ALTER TABLE purchase ADD COLUMN extra text' },
    ]);
    expect(report).toMatchObject([{ shard: 'one', state: 'done', applied: ['note'] }]);
  }, 120_000);
});
