import { describe, expect, it } from 'vitest';
import { run } from '../../src/conformance/steps.ts';
import { MoveRefusedError } from '../../src/errors/moves.ts';
import { ShardIds } from '../../src/ids/shard-ids.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import type { MoveBackend, MoveSpec } from '../../src/moves/move-backend.ts';
import { twoShards } from '../postgres/shards.ts';
import { altered } from '../support/altered.ts';
import { halfOf } from '../support/half.ts';
import { movingShards, tables, tenantsOn } from '../support/moving-shards.ts';

/** What users of tools that move rows between databases have reported, on ours. */
describe('a move', () => {
  // vitess#9207 (bytes that end in zeros, copied and followed), vitess#17107 and citus#6705 (generated columns), vitess#15103 (an enum whose
  // values are in another order at the target), vitess#6880 and vitess#8401 (enums and bits that comparing took for different), pgdog#930 (large
  // values that an update leaves as they were)
  it('brings the same values by the copy and by what follows it, and finds them equal, there and back', async () => {
    await using place = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
    const { one, two } = place;
    for (const [client, order] of [
      [one, `'red', 'green', 'blue'`],
      [two, `'blue', 'red', 'green'`],
    ] as const)
      await client.query(
        `CREATE TYPE color AS ENUM (${order});
         CREATE TABLE "Odd things" (gone int, id text PRIMARY KEY, "Raw" bytea, c color, n int, "Twice" int GENERATED ALWAYS AS (n * 2) STORED,
           bits bit(5), large text, "order" timestamptz, at timestamp(3), amount numeric, f float8, tags color[]);
         ALTER TABLE "Odd things" DROP COLUMN gone; ALTER TABLE "Odd things" ALTER large SET STORAGE EXTERNAL`,
      );
    const spec = { key: ['id'], primaryKey: ['id'], columns: { id: 'text' } } as const;
    const move: MoveSpec = halfOf({ key: 'text', slots: 16, tables: { 'Odd things': spec } }, 'odd');
    const fill = (from: number, to: number) =>
      one.query(
        `INSERT INTO "Odd things" (id, "Raw", c, n, bits, large, "order", at, amount, f, tags)
         SELECT 'key ' || i, '\\x61000000'::bytea, (enum_range(NULL::color))[1 + i % 3], i, B'01010', repeat('large ' || i, 3000),
           '2026-10-25 00:30:00.000001+00', '-infinity', CASE WHEN i % 2 = 0 THEN 'NaN' ELSE 1.10 END, '-0'::float8, ARRAY['red', NULL, 'blue']::color[]
         FROM generate_series($1::int, $2::int) i`,
        [from, to],
      );
    const change = (client: typeof one) =>
      client.query(
        `UPDATE "Odd things" SET n = n + 1, c = 'blue', "Raw" = "Raw" || '\\x00'::bytea WHERE right(id, 1) IN ('1', '2', '3')`,
      );
    const rows = async (client: typeof one) =>
      (
        await client.query(
          `SELECT md5(t::text) AS hash, id FROM "Odd things" t WHERE id = ANY ($1) ORDER BY id`,
          [moved],
        )
      ).rows;
    await fill(0, 99);
    const moves = place.moves();
    const { rows: all } = await one.query(
      'SELECT id FROM "Odd things" WHERE (hashtextextended(id, 0) & 15) < 8',
    );
    const moved = all.map(({ id }) => id as string);
    expect(await moves.plan(move, AbortSignal.timeout(60_000))).toMatchObject({
      obstacles: [],
      warnings: [],
    });
    // pg_easy_replicate#90: a limit of time that the role has ended a long step
    await one.query(
      "ALTER ROLE postgres SET statement_timeout = '30s'; CREATE ROLE reader; ALTER ROLE reader SET statement_timeout = '1s'",
    );
    const { warnings } = await moves.plan(move, AbortSignal.timeout(60_000));
    expect(warnings.map(({ kind, shard, words }) => `${kind} ${shard} ${words.split(':')[0]}`)).toEqual([
      'time_limit one statement_timeout=30000 here',
      'time_limit one statement_timeout=30s for postgres',
    ]);
    await one.query('ALTER ROLE postgres RESET ALL');
    await run(moves, move, { to: 'copy' });
    await change(one);
    await run(moves, move, { from: 'lag', to: 'verify' });
    await change(one);
    await run(moves, move, { from: 'fence' });
    expect(moved.length).toBeGreaterThan(30);
    expect(await rows(two)).toEqual(await rows(one));
    await moves.follow(move, { token: 1n, signal: AbortSignal.timeout(60_000), progress() {} });
    await change(two);
    await run(moves, { ...move, from: 'two', to: 'one' }, { from: 'lag' });
    expect(await rows(one)).toEqual(await rows(two));
  }, 120_000);

  // citus#6050: a table that is made while rows of the others move had no place afterwards
  it('is not run by a process with other tables, as one of another version is while they are replaced', async () => {
    const { shards, router, mover } = await movingShards();
    await router();
    const notes = tables['orders']!;
    const first = mover();
    const [{ id }] = (await first.begin({ kind: 'merge', shards: ['a'], into: 'b' })) as unknown as [
      { id: string },
    ];
    const fence = async () => {
      throw new Error('replaced');
    };
    const replaced = mover({ backend: altered<MoveBackend>(memoryMoves({ shards }), { fence }) });
    await expect(replaced.run(id).done).rejects.toThrow('replaced');
    for (const others of [{ ...tables, notes }, { notes }, {}]) {
      const other = mover({ tables: others });
      await expect(other.run(id).done).rejects.toMatchObject({ code: 'ASHLAR_SHARD_ROUTER_MOVE_BLOCKED' });
      expect((await other.status()).map.moves).toHaveLength(1);
    }
    await first.run(id).done;
    for (const [others, change] of [
      [{}, 'finish'],
      [{ ...tables, notes }, 'rollback'],
    ] as const)
      await expect(mover({ tables: others })[change](id), change).rejects.toThrow(
        'run it with those, or undo it',
      );
    expect((await first.status()).map.moves).toMatchObject([{ step: 'committed', tables: ['orders'] }]);
    await first.rollback(id);
    // Only the end is left: more tables do no harm
    await mover({ tables: { ...tables, notes } }).finish(id);
    expect((await first.status()).map.moves).toEqual([]);
  });

  // vitess#18415: numbers that were handed out in blocks met others after rows had moved
  it('does not make ids equal that come from blocks of before', async () => {
    const { store, router, mover } = await movingShards();
    const routers = [await router(), await router()];
    const [one] = routers as [(typeof routers)[number]];
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    const makers = routers.map(each => new ShardIds({ router: each, store }));
    const all: bigint[] = [];
    const next = async () => {
      for (let n = 0; n < 100; n++) for (const ids of makers) all.push(await ids.next(tenant));
    };
    await next();
    const [{ id }] = (await mover().move({ kind: 'merge', shards: ['a'], into: 'b' })) as unknown as [
      { id: string },
    ];
    await next();
    makers.push(new ShardIds({ router: await router(), store }));
    await mover().rollback(id);
    await next();
    expect(new Set(all).size).toBe(all.length);
    for (const each of all) expect(one.routeId(each)).toEqual(one.route(tenant));
  });

  // spqr#1991: a move from a shard to itself, tried again, deleted the rows. spqr#2056, spqr#1987: the same range moved twice at once
  it('is refused from a shard to itself, and of slots that are on the move', async () => {
    const { router, mover } = await movingShards();
    const [one, moves] = [await router(), mover()];
    await one.ready();
    const slices = [{ from: 0, to: 4 }];
    await expect(moves.begin({ kind: 'move', from: 'a', to: 'a', slices })).rejects.toThrow('are on a');
    await expect(moves.begin({ kind: 'move', from: 'b', to: 'a', slices })).rejects.toThrow(MoveRefusedError);
    const [{ id }] = (await moves.begin({ kind: 'move', from: 'a', to: 'b', slices })) as unknown as [
      { id: string },
    ];
    for (const other of [slices, [{ from: 3, to: 6 }]])
      await expect(moves.begin({ kind: 'move', from: 'a', to: 'b', slices: other })).rejects.toThrow(id);
    await moves.run(id).done;
    await expect(moves.begin({ kind: 'move', from: 'b', to: 'a', slices })).rejects.toThrow('finish it');
    await moves.finish(id);
  });
});
