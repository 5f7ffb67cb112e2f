import { startPostgres } from '@workspace/services';
import pg from 'pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { PostgresMoves } from '../../../../src/adapters/postgres/moves/postgres-moves.ts';
import { postgresMoves } from '../../../../src/adapters/postgres.ts';
import type { Moving } from '../../../../src/map/moving.ts';
import type { MoveSpec } from '../../../../src/moves/move-backend.ts';
import { altered } from '../../../support/altered.ts';
import { context, counts, createTables, fill, lowerHalf, moverOf, names, twoShards } from '../../shards.ts';

const lower = names(5, 'lower');
const [upper] = names(1, 'upper');
const request = { kind: 'merge', shards: ['one'], into: 'two' } as const;
const insert = "INSERT INTO customer VALUES ($1, 'past the router')";
const blocked = (way: string, shard: string) => ({
  code: 'ASHLAR_SHARD_ROUTER_MOVE_BLOCKED',
  message: expect.stringContaining(way),
  cause: expect.objectContaining({ code: 'ASHLAR_SHARD_ROUTER_SHARD_FAILED', shard }),
});

/** Servers that are killed: each test has its own. This only ends what hangs. */
vi.setConfig({ testTimeout: 180_000 });

async function place() {
  const shards = await twoShards({ config: { wal_retrieve_retry_interval: '100ms' } });
  onTestFinished(async () => shards[Symbol.asyncDispose]());
  await fill(shards.one, lower, 2);
  return { shards, moves: shards.moves() };
}

async function committed(moves: PostgresMoves) {
  const mover = await moverOf(moves, { leaseMs: 10_000 });
  const [{ id }] = (await mover.move(request)) as unknown as [{ id: string }];
  return { mover, id };
}

describe('a committed move whose old source does not answer', () => {
  it('is finished without it, when somebody says that it is lost for good', async () => {
    const { shards, moves } = await place();
    const { mover, id } = await committed(moves);
    await shards.servers[0].kill();
    const { leaks, following } = await mover.status();
    expect(leaks).toEqual({ one: [expect.stringContaining('does not answer')], two: [] });
    expect(following[id]).toMatchObject({ state: 'waiting' });
    await expect(mover.finish(id)).rejects.toMatchObject(blocked('`finish` with `sourceLost`', 'one'));
    await mover.finish(id, { sourceLost: true });
    expect((await mover.map()).moves).toEqual([]);
    expect(await moves.leaks('two', [])).toEqual([]);
    await shards.two.query("UPDATE customer SET name = 'on two'");
    expect(await counts(shards.two)).toEqual({ customers: 5, purchases: 10 });
    // It comes back after all
    await shards.servers[0].restart();
    const one = await shards.connect('one');
    await one.query(insert, [upper]);
    const change = one.query("UPDATE customer SET name = 'past the router' WHERE id = $1", [lower[0]]);
    await expect(change).rejects.toMatchObject({ code: 'AS409' });
    const back = { kind: 'move', from: 'two', to: 'one', slices: [{ from: 0, to: 512 }] } as const;
    const [plan] = await mover.plan(back);
    const kinds = plan!.obstacles.filter(({ shard }) => shard === 'one').map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['rows_at_target', 'fence_left']));
  });

  it('is finished with it where it answers, whatever somebody says', async () => {
    const { shards, moves } = await place();
    const { mover, id } = await committed(moves);
    await mover.finish(id, { sourceLost: true });
    expect([await moves.leaks('one', []), await moves.leaks('two', [])]).toEqual([[], []]);
    expect(await counts(shards.one)).toEqual({ customers: 0, purchases: 0 });
    await expect(shards.one.query(insert, [lower[0]])).rejects.toMatchObject({ code: 'AS409' });
  });

  it('keeps no more log at its new owner than it may', async () => {
    const { shards, moves } = await place();
    const { id, mover } = await committed(moves);
    const [{ slices, token }] = (await mover.map()).moves as unknown as [Moving];
    const move: MoveSpec = { ...lowerHalf(id), slices };
    await mover.close();
    await shards.servers[0].kill();
    const noise = 'CREATE TABLE noise AS SELECT g FROM generate_series(1, 20000) g; DROP TABLE noise';
    await shards.two.query(noise);
    const { state, retainedBytes } = await moves.following(move, AbortSignal.timeout(60_000));
    expect(state).toBe('waiting');
    expect(retainedBytes).toBeGreaterThan(1_000_000);
    await moves.unfollow(move, context(BigInt(token) + 1n));
    const { rows } = await shards.two.query('SELECT FROM pg_replication_slots');
    expect(rows).toEqual([]);
    expect((await moves.following(move, AbortSignal.timeout(60_000))).state).toBe('ended');
  });

  it('is closed at one that has come back from a backup of before', async () => {
    const { shards, moves } = await place();
    const { mover, id } = await committed(moves);
    await shards.one.query('DROP SCHEMA ashlar_shards CASCADE');
    await shards.one.query("UPDATE customer SET name = 'past the router'");
    await mover.finish(id);
    expect(await counts(shards.one)).toEqual({ customers: 0, purchases: 0 });
    await expect(shards.one.query(insert, [lower[0]])).rejects.toMatchObject({ code: 'AS409' });
    await shards.one.query(insert, [upper]);
  });
});

describe('a move whose target is gone while the fence is closed', () => {
  it('leaves the source to be written at once, and is undone when somebody says that it is lost for good', async () => {
    const { shards, moves } = await place();
    const drain: PostgresMoves['drain'] = async (...args) => {
      await shards.servers[1].kill();
      return moves.drain(...args);
    };
    const mover = await moverOf(altered(moves, { drain }), { leaseMs: 10_000 });
    const [{ id }] = (await mover.begin(request)) as unknown as [{ id: string }];
    await expect(mover.run(id).done).rejects.toThrow();
    await shards.one.query("UPDATE customer SET name = 'open again'");
    await expect(mover.abort(id)).rejects.toMatchObject(blocked('`abort` with `targetLost`', 'two'));
    await shards.one.query("UPDATE customer SET name = 'still'");
    await mover.abort(id, { targetLost: true });
    expect((await mover.map()).moves).toEqual([]);
    expect(await moves.leaks('one', [])).toEqual([]);
    await shards.one.query("UPDATE customer SET name = 'in the end'");
    expect(await counts(shards.one)).toEqual({ customers: 5, purchases: 10 });
  });
});

describe('a rollback whose target is lost when only the change of the map is left', () => {
  it('is undone once an empty server has its name, and the move is finished', async () => {
    const { shards } = await place();
    const spare = await startPostgres({ own: true });
    onTestFinished(() => spare.stop());
    const there = new pg.Client({ connectionString: spare.url });
    there.on('error', () => {});
    await there.connect();
    onTestFinished(() => there.end());
    await there.query(createTables);
    const [one, two] = shards.servers;
    let isLost = false;
    const admin = (server: () => { readonly url: string; readonly port: number }) => ({
      client: () => new pg.Client({ connectionString: server().url }),
      replication: () => `host=127.0.0.1 port=${server().port} user=postgres dbname=postgres`,
    });
    const moves = postgresMoves({
      shards: { one: admin(() => (isLost ? spare : one)), two: admin(() => two) },
      copyShare: 1,
    });
    onTestFinished(() => moves.close());
    const turn: typeof moves.turn = async (spec, ...args) => {
      if (spec.to === 'one' && !isLost) {
        await one.kill();
        isLost = true;
      }
      return moves.turn(spec, ...args);
    };
    const mover = await moverOf(altered(moves, { turn }), { leaseMs: 10_000, pauseMs: 60_000 });
    const [{ id }] = (await mover.move(request)) as unknown as [{ id: string }];
    await shards.two.query("UPDATE customer SET name = 'on two'");
    await expect(mover.rollback(id)).rejects.toThrow();
    // What was under way at the server that is gone may have failed for that
    while ((await mover.map()).moves[0]!.step === 'turn') await mover.run(id).done.catch(() => {});
    expect((await mover.map()).moves).toMatchObject([{ id, step: 'committed', from: 'one', to: 'two' }]);
    await shards.two.query("UPDATE customer SET name = 'still on two'");
    await mover.finish(id);
    expect(await counts(shards.two)).toEqual({ customers: 5, purchases: 10 });
    expect(await moves.leaks('two', [])).toEqual([]);
    await expect(there.query(insert, [lower[0]])).rejects.toMatchObject({ code: 'AS409' });
  });
});
