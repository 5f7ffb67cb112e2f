import { ManualClock } from '@ashlar/core/testing';
import { describe, expect, it } from 'vitest';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import type { MoveEvent } from '../../src/moves/events.ts';
import type { MoveBackend } from '../../src/moves/move-backend.ts';
import { altered } from '../support/altered.ts';
import { movingShards } from '../support/moving-shards.ts';

const request = { kind: 'merge', shards: ['a'], into: 'b' } as const;

describe('what follows the change of the map', () => {
  it('is tried again until it is done, and tells how much log is kept meanwhile', async () => {
    const { shards, router, mover } = await movingShards();
    await router();
    let tries = 0;
    const backend: MoveBackend = altered(memoryMoves({ shards }), {
      async follow() {
        if (++tries < 3) throw new Error('the old source is away');
      },
      following: async () => ({ state: 'waiting', retainedBytes: 42 }),
    });
    const moves = mover({ backend });
    const [{ id }] = (await moves.begin(request)) as unknown as [{ id: string }];
    const run = moves.run(id);
    const events: MoveEvent[] = [];
    for await (const event of run) events.push(event);
    expect(await run.done).toMatchObject({ step: 'committed' });
    expect(tries).toBe(3);
    const words = 'the old source does not follow yet: the old source is away';
    expect(events).toContainEqual({ move: id, step: 'committed', words, retainedBytes: 42 });
  });

  it('is left to whoever runs the move next, when it takes too long', async () => {
    const { shards, router, mover, store } = await movingShards();
    await router();
    const clock = new ManualClock();
    let begun!: () => void;
    const hasBegun = new Promise<void>(resolve => {
      begun = resolve;
    });
    const backend: MoveBackend = altered(memoryMoves({ shards }), {
      follow: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          begun();
        }),
    });
    const moves = mover({ backend, clock });
    const moving = moves.move(request);
    let isBegun = false;
    void hasBegun.then(() => {
      isBegun = true;
    });
    while (!isBegun) await clock.advance(10);
    for (let ms = 0; ms < 30_000; ms += 100) await clock.advance(100);
    const [{ id }] = (await moving) as unknown as [{ id: string }];
    let done = false;
    const other = mover({
      store,
      backend: altered(memoryMoves({ shards }), {
        async follow() {
          done = true;
        },
      }),
    });
    expect(await other.run(id).done).toMatchObject({ step: 'committed' });
    expect(done).toBe(true);
  });

  it('makes room for a rollback at once', async () => {
    const { shards, router, mover } = await movingShards();
    await router();
    let begun!: () => void;
    const hasBegun = new Promise<void>(resolve => {
      begun = resolve;
    });
    let isStuck = true;
    const backend: MoveBackend = altered(memoryMoves({ shards }), {
      async follow(_, { signal }) {
        if (!isStuck) return;
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          begun();
        });
      },
    });
    const moves = mover({ backend });
    const [{ id }] = (await moves.begin(request)) as unknown as [{ id: string }];
    const { done } = moves.run(id);
    await hasBegun;
    isStuck = false;
    expect(await moves.rollback(id)).toMatchObject({ step: 'committed', to: 'a' });
    expect(await done).toMatchObject({ to: 'b' });
  });
});
