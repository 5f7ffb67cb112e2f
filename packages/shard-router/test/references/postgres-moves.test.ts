import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/conformance/steps.ts';
import {
  backwards,
  context,
  counts,
  fill,
  lowerHalf,
  names,
  type TwoShards,
  twoShards,
} from '../postgres/shards.ts';

let shards: TwoShards;
beforeAll(async () => {
  shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
}, 60_000);
afterAll(() => shards[Symbol.asyncDispose]());

it('foreign keys to a reference table hold before and after the fence, the turn, the way back and the end of a move', async () => {
  const { one, two } = shards;
  const both = async (sql: string) => {
    for (const client of [one, two]) await client.query(sql);
  };
  await both(`CREATE TABLE town (code text PRIMARY KEY); INSERT INTO town VALUES ('w'), ('g');
    ALTER TABLE customer ADD home text DEFAULT 'w' REFERENCES town;
    CREATE SCHEMA ashlar_shards; CREATE TABLE ashlar_shards.reference (name text PRIMARY KEY, version int8 NOT NULL);
    INSERT INTO ashlar_shards.reference VALUES ('town', 3)`);
  const mine = names(20, 'lower');
  await fill(one, mine, 2);
  const homes = async (client: typeof one) =>
    (await client.query('SELECT DISTINCT home FROM customer')).rows.map(({ home }) => home);
  const settle = (client: typeof one, home: string) => client.query('UPDATE customer SET home = $1', [home]);
  /** The database of the rows keeps the towns that they name, and takes no other. */
  const holds = async (client: typeof one, home: string) => {
    expect(await homes(client)).toEqual([home]);
    await expect(client.query('DELETE FROM town WHERE code = $1', [home])).rejects.toMatchObject({
      code: '23503',
    });
    await expect(settle(client, 'nowhere')).rejects.toMatchObject({ code: '23503' });
  };
  const moves = shards.moves();
  const move = lowerHalf('towns');
  expect((await moves.plan(move, AbortSignal.timeout(60_000))).obstacles).toEqual([]);
  await run(moves, move, { to: 'verify' });
  await both("INSERT INTO town VALUES ('l'); UPDATE ashlar_shards.reference SET version = 4");
  await settle(one, 'l');
  await run(moves, move, { from: 'fence' });
  await expect(settle(one, 'w')).rejects.toMatchObject({ code: 'AS409' });
  await holds(two, 'l');
  // The copies that a rollback would need are kept whole, while towns are written on both
  await expect(one.query("DELETE FROM town WHERE code = 'l'")).rejects.toMatchObject({ code: '23503' });
  await both("INSERT INTO town VALUES ('s'); UPDATE ashlar_shards.reference SET version = 5");
  await moves.follow(move, context());
  await settle(two, 's');
  await run(moves, backwards(move), { from: 'lag' });
  await holds(one, 's');
  await expect(settle(two, 'w')).rejects.toMatchObject({ code: 'AS409' });
  await settle(one, 'w');
  await moves.finish(backwards(move), context());
  await holds(one, 'w');
  expect(await counts(one)).toEqual({ customers: 20, purchases: 40 });
  expect(await counts(two)).toEqual({ customers: 0, purchases: 0 });
  await both("DELETE FROM town WHERE code = 's'");
  for (const shard of ['one', 'two']) expect(await moves.leaks(shard, [])).toEqual([]);
}, 120_000);
