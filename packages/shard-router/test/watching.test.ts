import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { systemClock } from '@ashlar/core';
import { ManualClock } from '@ashlar/core/testing';
import { eventually } from '@workspace/services';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Process } from '../fuzz/process.ts';
import { Maps } from '../src/map/maps.ts';
import { memoryMoves } from '../src/memory/memory-moves.ts';
import type { MoveEvent } from '../src/moves/events.ts';
import { Mover } from '../src/moves/mover.ts';
import { altered } from './support/altered.ts';
import { type MovingShards, movingShards, put, tables, tenantsOn } from './support/moving-shards.ts';

const request = { kind: 'merge', shards: ['a'], into: 'b' } as const;

/** What is told of moves while the test runs. */
function told(): MoveEvent[] {
  const events: MoveEvent[] = [];
  const listener = (event: unknown) => void events.push(event as MoveEvent);
  subscribe('ashlar:shard-router:move', listener);
  onTestFinished(() => void unsubscribe('ashlar:shard-router:move', listener));
  return events;
}

describe('a mover that watches', () => {
  const stepsIn = async ({ store }: MovingShards) =>
    (await new Maps(store, 'shards').read())!.moves.map(({ step }) => step);

  /** Moves the clock until something is so. */
  async function until(clock: ManualClock, is: () => Promise<boolean>, stepMs = 100): Promise<number> {
    const startedAt = clock.now();
    while (!(await is())) {
      if (clock.now() - startedAt > 10_000_000) throw new Error('it never is');
      await clock.advance(stepMs);
    }
    return clock.now() - startedAt;
  }

  it('runs a move that somebody has begun, and finishes it when its time has come', async () => {
    const place = await movingShards();
    const one = await place.router();
    const clock = new ManualClock();
    const [tenant] = tenantsOn(one, 'a', 1) as [number];
    await one.on(tenant).write(db => db.execute(put(tenant, 1)));
    await place.mover().begin(request);
    void place.mover({ clock, finishAfterMs: 60_000 }).watch();
    await until(clock, async () => (await stepsIn(place))[0] === 'committed');
    const ms = await until(clock, async () => (await stepsIn(place)).length === 0);
    expect(ms).toBeGreaterThan(55_000);
    expect(ms).toBeLessThan(70_000);
    expect((await place.mover().status()).leaks).toEqual({ b: [] });
  });

  it('never finishes a move that is to be kept', async () => {
    const place = await movingShards();
    await place.router();
    const clock = new ManualClock();
    await place.mover().move(request);
    void place.mover({ clock, finishAfterMs: Infinity }).watch();
    await clock.advance(100_000_000);
    expect(await stepsIn(place)).toEqual(['committed']);
  });

  it('goes on with the move of a process that died, and finishes it', async () => {
    const place = await movingShards();
    await place.router();
    const dying = new Process(systemClock);
    dying.trap = { at: 'verify', when: 'before', what: 'kill' };
    // Never closed: nothing of it ever answers again
    const first = new Mover({
      backend: dying.backend(memoryMoves({ shards: place.shards })),
      store: dying.store(place.store),
      tables,
      leaseMs: 500,
      clock: dying,
    });
    await place.mover().begin(request);
    void first.watch();
    await eventually(async () => expect(dying.isDead).toBe(true), { withinMs: 30_000 });
    void place.mover({ finishAfterMs: 0 }).watch();
    await eventually(async () => expect(await stepsIn(place)).toEqual([]), { withinMs: 30_000 });
    expect((await place.mover().status()).leaks).toEqual({ b: [] });
  });

  it('tells of what fails, and tries it again', async () => {
    const place = await movingShards();
    await place.router();
    const clock = new ManualClock();
    const events = told();
    let tries = 0;
    const moves = memoryMoves({ shards: place.shards });
    const backend = altered(moves, {
      async copy(...args) {
        if (++tries < 3) throw new Error('no room');
        return moves.copy(...args);
      },
    });
    await place.mover().begin(request);
    void place.mover({ clock, backend }).watch();
    await until(clock, async () => (await stepsIn(place))[0] === 'committed');
    const words = 'it has failed, and is tried again: no room';
    expect(events.filter(event => event.words === words)).toHaveLength(2);
  });

  it('has the old source follow where the process that committed did not, and gives that up beyond the limit', async () => {
    const place = await movingShards();
    await place.router();
    const clock = new ManualClock();
    const events = told();
    const done: string[] = [];
    let found = { state: 'waiting', retainedBytes: 10 } as {
      state: 'waiting' | 'follows' | 'ended';
      retainedBytes: number;
    };
    const backend = altered(memoryMoves({ shards: place.shards }), {
      async follow() {
        done.push('follow');
        found = { state: 'follows', retainedBytes: 10 };
      },
      following: async () => found,
      async unfollow() {
        done.push('unfollow');
        found = { state: 'ended', retainedBytes: 0 };
      },
    });
    await place.mover().move(request);
    void place.mover({ clock, backend, retainedBytes: 1_000 }).watch();
    await until(clock, async () => done.length > 0);
    await clock.advance(20_000);
    expect(done).toEqual(['follow']);
    found = { state: 'follows', retainedBytes: 2_000 };
    await until(clock, async () => done.length > 1);
    await clock.advance(20_000);
    expect(done).toEqual(['follow', 'unfollow']);
    expect(events.at(-1)).toMatchObject({
      step: 'committed',
      retainedBytes: 2_000,
      words: expect.stringContaining('it cannot be rolled back any more'),
    });
  });

  it('leaves a rollback to whoever has asked for it, or makes it', async () => {
    const place = await movingShards();
    await place.router();
    const watching = place.mover().watch();
    const moves = place.mover();
    const [{ id }] = (await moves.begin(request)) as unknown as [{ id: string }];
    await moves.run(id).done;
    expect(await moves.rollback(id)).toMatchObject({ step: 'committed', to: 'a' });
    let isOver = false;
    void watching.then(() => {
      isOver = true;
    });
    expect(isOver).toBe(false);
  });
});
