import { ManualClock } from '@ashlar/core/testing';
import { expect, it } from 'vitest';
import { memoryMoves } from '../../src/memory/memory-moves.ts';
import { memoryShards } from '../../src/memory/memory-shard.ts';
import type { MoveContext, MoveSpec } from '../../src/moves/move-backend.ts';
import { put, tables } from '../support/moving-shards.ts';

const context: MoveContext = { token: 1n, signal: new AbortController().signal, progress() {} };

it('the lag of shards in memory is never less than the age of the oldest commit that is missing', async () => {
  const clock = new ManualClock();
  const shards = memoryShards(['a', 'b']);
  let transportMs = 1_000;
  const moves = memoryMoves({ shards, clock, transport: () => clock.sleep(transportMs), batch: 1 });
  const slices = [{ from: 0, to: 16 }];
  const move: MoveSpec = {
    id: 'm',
    router: 'shards',
    from: 'a',
    to: 'b',
    slices,
    key: 'int8',
    slots: 16,
    tables,
  };
  const write = (tenant: number) => shards['a']!.write(db => db.execute(put(tenant, 1)));
  await write(1);
  await write(2);
  await moves.prepare(move, context);
  const copying = moves.copy(move, context);
  await clock.advance(500);
  await write(3); // On the way from now on, while rows are copied: for 1,5 s until that is over
  await clock.advance(1_500);
  await copying;
  expect((await moves.lag(move, context)).lagMs).toBeGreaterThanOrEqual(1_500);
  await clock.advance(1_000);
  expect((await moves.lag(move, context)).lagMs).toBe(0);
  transportMs = 300;
  await write(4);
  await clock.advance(100);
  await write(5);
  expect((await moves.lag(move, context)).lagMs).toBeGreaterThanOrEqual(100);
  await clock.advance(200);
  // The first has arrived, the second has not
  await write(6);
  const { lagMs } = await moves.lag(move, context);
  expect(lagMs).toBeLessThanOrEqual(300);
  await clock.advance(600);
  expect((await moves.lag(move, context)).lagMs).toBe(0);
});
