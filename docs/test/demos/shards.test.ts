import { expect, test } from 'vitest';
import { ShardsSimulation } from '../../.vitepress/theme/shards/simulation.ts';
import { inPage } from './in-page.ts';

const slotsOf = (simulation: ShardsSimulation) =>
  Object.fromEntries(simulation.shards.map(({ name, slots }) => [name, slots]));
const nothingBroken = { lost: 0, twice: 0, stale: 0, failed: 0 };

/** Until nothing moves any more; in virtual time. */
async function moved(simulation: ShardsSimulation): Promise<void> {
  for (let step = 0; step < 600; step++) {
    await simulation.advance(100);
    if (simulation.move === undefined && simulation.shards.some(({ action }) => action)) return;
  }
  throw new Error(`it still moves: ${simulation.events.map(({ text }) => text).join('; ')}`);
}

test('two shards become four under writes, and two again', async () => {
  const simulation = await ShardsSimulation.start();
  await simulation.advance(1_000);
  expect(slotsOf(simulation)).toEqual({ a: 32, b: 32, c: 0, d: 0 });
  expect(simulation.shards.map(({ action }) => action)).toEqual(['drain', 'drain', 'add', 'add']);
  for (const shard of ['c', 'd']) {
    simulation.act(shard, 'add');
    expect(simulation.shards.map(({ action }) => action)).not.toContain('add');
    await moved(simulation);
  }
  expect(slotsOf(simulation)).toEqual({ a: 16, b: 16, c: 16, d: 16 });
  for (const shard of ['a', 'b']) {
    simulation.act(shard, 'drain');
    await moved(simulation);
  }
  expect(slotsOf(simulation)).toEqual({ a: 0, b: 0, c: 32, d: 32 });
  expect(simulation.shards.reduce((sum, { wallets }) => sum + wallets, 0)).toBe(256);
  await simulation.advance(1_000);
  expect(simulation).toMatchObject(nothingBroken);
  expect(simulation.acknowledged).toBeGreaterThan(500);
  expect(simulation.reads).toBeGreaterThan(1_000);
  expect(simulation.waited).toBeGreaterThan(0);
  expect(simulation.pauseMs).toBeGreaterThanOrEqual(40);
  expect(simulation.longestMs).toBeLessThan(500);
  expect(simulation.waiting).toBe(0);
});

test('what moves is shown, and can be undone until it is committed', async () => {
  const simulation = await ShardsSimulation.start();
  simulation.act('c', 'add');
  await simulation.advance(300);
  expect(simulation.move).toMatchObject({ to: 'c', step: 'copy' });
  expect(simulation.slots.filter(({ to }) => to === 'c')).toHaveLength(21);
  expect(simulation.mayUndo).toBe(true);
  simulation.undo();
  await moved(simulation);
  expect(simulation.mayUndo).toBe(false);
  expect(slotsOf(simulation)).toEqual({ a: 32, b: 32, c: 0, d: 0 });
  expect(simulation.slots.every(({ to }) => to === undefined)).toBe(true);
  expect(simulation.events.at(-1)?.text).toBe('undone: the slots are where they were');
  simulation.act('c', 'add');
  await moved(simulation);
  expect(slotsOf(simulation)).toMatchObject({ c: 21 });
  expect(simulation).toMatchObject(nothingBroken);
});

test('what cannot be done is not', async () => {
  const simulation = await ShardsSimulation.start();
  simulation.act('a', 'add');
  simulation.act('c', 'drain');
  simulation.act('none', 'add');
  simulation.undo();
  await simulation.advance(1_000);
  expect(simulation.events).toEqual([]);
});

test('runs where there is nothing of Node', async () => {
  const page = await inPage<{ ShardsSimulation: typeof ShardsSimulation }>('shards/simulation.ts');
  const simulation = await page.ShardsSimulation.start();
  simulation.act('d', 'add');
  await moved(simulation);
  expect(slotsOf(simulation)).toMatchObject({ d: 21 });
  expect(simulation).toMatchObject(nothingBroken);
});
