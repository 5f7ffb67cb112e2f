import { describe, expect, it } from 'vitest';
import {
  CutoverError,
  LostCopyError,
  MoveAbortedError,
  MoveRefusedError,
  MoverClosedError,
} from '../../src/errors/moves.ts';
import { WriteHeldError, WrongShardError } from '../../src/errors/routing.ts';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import type { MemoryShard } from '../../src/memory/memory-shard.ts';
import type { MoveEvent } from '../../src/moves/events.ts';
import type { MoveBackend, MoveContext } from '../../src/moves/move-backend.ts';
import { altered } from '../support/altered.ts';
import { clear, everything, movingShards, noteOf, put, rowsOf, tenantsOn } from '../support/moving-shards.ts';

const only = <T>(list: readonly T[]): readonly [T] => {
  expect(list).toHaveLength(1);
  return list as unknown as readonly [T];
};

const rowsIn = async (shard: MemoryShard) => (await shard.read(db => db.execute(rowsOf()))).rows.length;

describe('a move', () => {
  it('brings rows and slots to another shard, and clears the old one when it is finished', async () => {
    const { shards, router, mover } = await movingShards();
    const [one, other, moves] = [await router(), await router(), mover()];
    for (const tenant of Array(40).keys()) await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    const before = await rowsIn(shards['a']!);
    const [planned] = await moves.plan({ kind: 'merge', shards: ['a'], into: 'b' });
    expect(planned).toMatchObject({ from: 'a', to: 'b', slices: [{ from: 0, to: 8 }], obstacles: [] });
    expect(planned!.tables).toEqual([{ table: 'orders', rows: before, bytes: before * 100 }]);
    const [{ id }] = only(await moves.begin({ kind: 'merge', shards: ['a'], into: 'b' }));
    const run = moves.run(id);
    const events: MoveEvent[] = [];
    for await (const event of run) events.push(event);
    expect(await run.done).toMatchObject({ step: 'committed', from: 'a', to: 'b' });
    const steps = events.map(({ step }) => step);
    expect(steps.filter((step, i) => step !== steps[i - 1])).toEqual([
      'prepare',
      'copy',
      'catchUp',
      'verify',
      'ready',
      'cutover',
      'fence',
      'turn',
      'committed',
    ]);
    expect(events.findLast(({ ofRows }) => ofRows !== undefined)).toMatchObject({
      rows: before,
      ofRows: before,
    });
    expect(events.some(({ pauseMs }) => pauseMs !== undefined)).toBe(true);
    for (const tenant of Array(40).keys()) {
      expect(await other.on(tenant).read(db => noteOf(db, tenant))).toBe('x');
      expect(other.route(tenant).shard).toBe('b');
    }
    expect(await moves.verify(id)).toEqual({ rows: before, differences: [] });
    await moves.finish(id);
    expect(await rowsIn(shards['a']!)).toBe(0);
    const { map, leaks } = await moves.status();
    expect(map).toMatchObject({ epoch: 2, ranges: [{ from: 0, shard: 'b' }], moves: [] });
    expect(leaks).toEqual({ b: [] });
  });

  it('refuses writes at the old shard for good, and has the slots come back with another move', async () => {
    const { shards, router, mover } = await movingShards();
    const [one, moves] = [await router(), mover()];
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
      ['a', 'b'],
    ] as const) {
      const { slot } = one.route(tenant);
      const [moved] = await moves.move({ kind: 'move', from, to, slices: [{ from: slot, to: slot + 1 }] });
      for (const statement of [put(tenant, 1), clear]) {
        await expect(shards[from]!.write(db => db.execute(statement))).rejects.toThrow(WrongShardError);
      }
      await one.on(tenant).write(db => db.execute(put(tenant, 1, `on ${to}`)));
      expect(await shards[to]!.read(db => noteOf(db, tenant))).toBe(`on ${to}`);
      await moves.finish(moved!.id);
    }
    expect((await moves.status()).leaks).toEqual({ a: [], b: [] });
  });

  it('is rolled back with what was written since, also twice', async () => {
    const { router, mover } = await movingShards();
    const [one, moves] = [await router(), mover()];
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await one.on(tenant).write(db => db.execute(put(tenant, 1, 'before')));
    const [{ id }] = only(await moves.move({ kind: 'merge', shards: ['a'], into: 'b' }));
    await one.on(tenant).write(db => db.execute(put(tenant, 1, 'on b')));
    expect(await moves.rollback(id)).toMatchObject({ step: 'committed', from: 'b', to: 'a', back: true });
    expect(await one.on(tenant).read(db => noteOf(db, tenant))).toBe('on b');
    await one.on(tenant).write(db => db.execute(put(tenant, 1, 'on a')));
    expect(one.route(tenant)).toMatchObject({ shard: 'a', epoch: 3 });
    expect(await moves.rollback(id)).toMatchObject({ step: 'committed', from: 'a', to: 'b', back: false });
    expect(await one.on(tenant).read(db => noteOf(db, tenant))).toBe('on a');
    await moves.finish(id);
    await expect(moves.rollback(id)).rejects.toThrow(MoveRefusedError);
  });

  it('is undone when source and target differ, and leaves nothing', async () => {
    const { shards, router, mover } = await movingShards();
    const [one, moves] = [await router(), mover({ backend: losing(memoryMoves({ shards })) })];
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    await expect(moves.move({ kind: 'merge', shards: ['a'], into: 'b' })).rejects.toThrow(
      /was undone: source and target differ in orders: 1 missing/,
    );
    const { map, leaks } = await moves.status();
    expect(map).toMatchObject({ epoch: 1, moves: [] });
    expect(leaks).toEqual({ a: [], b: [] });
    expect(await rowsIn(shards['b']!)).toBe(0);
    await one.on(tenant).write(db => db.execute(put(tenant, 2)));
  });

  it('is undone by another process while one works on it', async () => {
    const { shards, router, mover, store } = await movingShards();
    let reached!: () => void;
    const isCopying = new Promise<void>(resolve => {
      reached = resolve;
    });
    const slow = altered(memoryMoves({ shards }), {
      copy: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          reached();
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    });
    await router();
    const [working, asking] = [mover({ backend: slow }), mover({ store })];
    const [{ id }] = only(await working.begin({ kind: 'merge', shards: ['a'], into: 'b' }));
    const run = working.run(id);
    await isCopying;
    await asking.abort(id);
    await expect(run.done).rejects.toThrow(MoveAbortedError);
    const { map, leaks } = await asking.status();
    expect(map.moves).toEqual([]);
    expect(leaks).toEqual({ a: [], b: [] });
  });

  it('never deletes rows that somebody has put at the target before its fence was closed', async () => {
    const { shards, router, mover } = await movingShards();
    const [one, moves] = [await router(), mover()];
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    const theirs = () => shards['b']!.read(db => noteOf(db, tenant));
    const write = (note: string) => shards['b']!.write(db => db.execute(put(tenant, 1, note)));
    const request = { kind: 'merge', shards: ['a'], into: 'b' } as const;
    const obstacle = expect.objectContaining({ kind: 'rows_at_target', shard: 'b', table: 'orders' });
    const [{ id }] = only(await moves.begin(request));
    await write('theirs');
    await expect(moves.run(id).done).rejects.toMatchObject({ obstacles: [obstacle] });
    await write('changed');
    await moves.abort(id);
    expect(await theirs()).toBe('changed');
    await expect(moves.begin(request)).rejects.toMatchObject({ obstacles: [obstacle] });
    const { map, leaks } = await moves.status();
    expect([map.moves, leaks]).toEqual([[], { a: [], b: [] }]);
  });

  it('is refused while its slots move, where they are not, and to a shard that a router does not know', async () => {
    const { router, mover, shards } = await movingShards(['a', 'b', 'c']);
    await router({ shards: { a: shards['a']!, b: shards['b']! } });
    const moves = mover();
    await expect(moves.begin({ kind: 'merge', shards: ['a'], into: 'c' })).rejects.toThrow(
      /1 routers do not know the shard c/,
    );
    await moves.begin({ kind: 'merge', shards: ['a'], into: 'b' });
    await expect(moves.begin({ kind: 'drain', shard: 'a' })).rejects.toThrow(/is at the step prepare/);
    const wrong = { kind: 'move', from: 'a', to: 'b', slices: [{ from: 12, to: 13 }] } as const;
    await expect(moves.begin(wrong)).rejects.toThrow(/slot 12 is on b, not on a/);
    const beyond = { kind: 'move', from: 'a', to: 'b', slices: [{ from: 12, to: 17 }] } as const;
    await expect(moves.begin(beyond)).rejects.toThrow(/there are no slots from 12 to 17/);
    await expect(moves.begin({ kind: 'drain', shard: 'z' })).rejects.toThrow(/shard z has no slots/);
    await expect(moves.abort('nothing')).rejects.toThrow(/there is no such move/);
  });
});

describe('a write while its rows move', () => {
  it('waits for a fence and is run where the rows are, once', async () => {
    const { shards, router, mover } = await movingShards();
    const [one, moves] = [await router(), mover()];
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    // As if the move had come so far in another process
    const held: Promise<unknown>[] = [];
    const backend = memoryMoves({ shards });
    const watched = altered(backend, {
      async drain(...args) {
        held.push(one.on(tenant).write(db => db.execute(put(tenant, 1, 'written'))));
        held.push(one.on(tenant).transaction(db => db.execute(put(tenant, 2, 'in a transaction'))));
        const twice = one.on(tenant).write(async db => {
          await db.execute(rowsOf(tenant));
          await db.execute(put(tenant, 3));
        });
        await expect(twice).rejects.toMatchObject({ code: WrongShardError.code, outcome: 'Unknown' });
        expect(one.snapshot().heldWrites).toBe(2);
        return backend.drain(...args);
      },
    });
    await mover({ backend: watched }).move({ kind: 'merge', shards: ['a'], into: 'b' });
    await Promise.all(held);
    const { rows } = await shards['b']!.read(db => db.execute(rowsOf(tenant)));
    expect(rows.map(row => row['note'])).toEqual(['written', 'in a transaction']);
    expect((await moves.status()).map.epoch).toBe(2);
  });

  it('waits for so long, and with so many, and not more', async () => {
    const { shards, router } = await movingShards();
    const one = await router({ holdMs: 30, maxHeld: 1 });
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await shards['a']!.fence('by hand', everything);
    const write = () => one.on(tenant).transaction(db => db.execute(put(tenant, 1)));
    const [first, second] = await Promise.allSettled([write(), write()]);
    expect([first, second].map(each => (each as PromiseRejectedResult).reason)).toEqual([
      expect.objectContaining({ code: WriteHeldError.code, message: expect.stringContaining('30 ms') }),
      expect.objectContaining({
        code: WriteHeldError.code,
        message: expect.stringContaining('1 writes wait'),
      }),
    ]);
  });
});

/** Forgets a row of the copy. */
function losing(backend: MoveBackend): MoveBackend {
  return altered(backend, {
    async verify(...args) {
      const found = await backend.verify(...args);
      const lost = { table: 'orders', missing: ['"1"'], extra: [], different: [] };
      return { ...found, differences: [...found.differences, lost] };
    },
  });
}

it.each(['move', 'verify'] as const)(
  '%s that is cut off by close rejects with MoverClosedError',
  async method => {
    const { shards, router, mover } = await movingShards();
    const one = await router();
    for (const tenant of Array(20).keys()) await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    let stands!: () => void;
    const standing = new Promise<void>(resolve => (stands = resolve));
    const wait = (_: unknown, { signal }: MoveContext): Promise<never> => {
      stands();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const changes = method === 'move' ? { copy: wait } : { verify: wait };
    const moves = mover({ backend: altered<MoveBackend>(memoryMoves({ shards }), changes) });
    const request = { kind: 'merge', shards: ['a'], into: 'b' } as const;
    const work =
      method === 'move' ? moves.move(request) : moves.verify(only(await mover().move(request))[0].id);
    const rejects = expect(work).rejects.toThrow(MoverClosedError);
    await standing;
    await moves.close();
    await rejects;
  },
);

it('a target that never catches up with its writers is told of, and ends the run after catchUpMs; then the move goes on', async () => {
  const { shards, router, mover } = await movingShards();
  const one = await router();
  await one.on(1).write(db => db.execute(put(1, 1)));
  const lag = async () => ({ lagMs: 80, retainedBytes: 0 });
  const behind = mover({ backend: altered<MoveBackend>(memoryMoves({ shards }), { lag }), catchUpMs: 100 });
  const [{ id }] = only(await behind.begin({ kind: 'merge', shards: ['a'], into: 'b' }));
  const run = behind.run(id);
  const events: MoveEvent[] = [];
  for await (const event of run) events.push(event);
  await expect(run.done).rejects.toThrow(CutoverError);
  await expect(run.done).rejects.toThrow('80 ms behind; it must be 50 ms at most');
  expect(events.some(({ lagMs, words }) => lagMs === 80 && words?.includes('80 ms behind'))).toBe(true);
  expect((await behind.map()).moves).toMatchObject([{ id, step: 'catchUp' }]);
  expect(await mover().run(id).done).toMatchObject({ step: 'committed' });
});

it('a target that is not ready in time after the pause undoes the move, and the source is written again', async () => {
  const { shards, router, mover } = await movingShards();
  const one = await router();
  const [tenant] = tenantsOn(one, 'a', 1) as [number];
  await one.on(tenant).write(db => db.execute(put(tenant, 1)));
  const turn = (_: unknown, { signal }: MoveContext): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const stuck = mover({ backend: altered<MoveBackend>(memoryMoves({ shards }), { turn }), pauseMs: 200 });
  const moving = stuck.move({ kind: 'merge', shards: ['a'], into: 'b' });
  await expect(moving).rejects.toThrow(MoveAbortedError);
  await expect(moving).rejects.toThrow('was not ready to be written within 200 ms');
  await shards['a']!.write(db => db.execute(put(tenant, 1, 'after')));
  expect((await stuck.map()).moves).toEqual([]);
  expect((await stuck.status()).leaks).toEqual({ a: [], b: [] });
});

it('a target that does not follow any more after the pause undoes the move at once, as writes wait', async () => {
  const { shards, router, mover } = await movingShards();
  const one = await router();
  const [tenant] = tenantsOn(one, 'a', 1) as [number];
  await one.on(tenant).write(db => db.execute(put(tenant, 1)));
  const turn = () => Promise.reject(new LostCopyError('it', 'b was restarted'));
  const lost = mover({ backend: altered<MoveBackend>(memoryMoves({ shards }), { turn }), pauseMs: 10_000 });
  const moving = lost.move({ kind: 'merge', shards: ['a'], into: 'b' });
  await expect(moving).rejects.toThrow(MoveAbortedError);
  await expect(moving).rejects.toThrow('has to start over: b was restarted');
  await shards['a']!.write(db => db.execute(put(tenant, 1, 'after')));
  expect((await lost.map()).moves).toEqual([]);
  expect((await lost.status()).leaks).toEqual({ a: [], b: [] });
});

it('a target that fails for a moment after the pause has the slots all the same', async () => {
  const { shards, router, mover } = await movingShards();
  const one = await router();
  await one.on(1).write(db => db.execute(put(1, 1)));
  const backend = memoryMoves({ shards });
  let failures = 0;
  const turn: MoveBackend['turn'] = async (...args) => {
    if (failures++ < 2) throw new Error('not now');
    return backend.turn(...args);
  };
  const moves = mover({ backend: altered<MoveBackend>(backend, { turn }), pauseMs: 10_000 });
  expect(await moves.move({ kind: 'merge', shards: ['a'], into: 'b' })).toMatchObject([
    { step: 'committed' },
  ]);
  expect(failures).toBe(3);
  expect(await one.on(1).read(db => noteOf(db, 1))).toBe('x');
});
