import { expect, test } from 'vitest';
import { leaseMs, QueueSimulation } from '../../.vitepress/theme/queue/simulation.ts';
import { inPage } from './in-page.ts';

const start = () => QueueSimulation.start(['worker-1', 'worker-2']);
const numbers = (views: readonly { readonly number: number }[]) => views.map(({ number }) => number);

test('what a killed worker held comes back when its lease is over, and is handled by the other', async () => {
  const simulation = await start();
  await simulation.advance(1_500);
  const [first] = simulation.workers;
  const held = numbers(first!.messages);
  expect(held.length).toBeGreaterThan(0);
  simulation.kill('worker-1');
  const orphans = simulation.workers[0]!;
  expect(orphans).toMatchObject({
    isAlive: false,
    messages: held.map(number => ({ number, state: 'orphaned' })),
  });
  expect(simulation.events.at(-1)).toBe(`worker-1 dies with ${held.join(' and ')} in its hands`);
  for (const { comesBackInMs } of orphans.messages) expect(comesBackInMs).toBeGreaterThan(leaseMs / 2);
  // killed again, which changes nothing
  simulation.kill('worker-1');
  await simulation.advance(2 * leaseMs);
  expect(simulation.redelivered).toBe(held.length);
  expect(simulation.workers[0]!.messages).toEqual([]);
  expect(simulation.lost).toBe(0);
});

test('with both workers dead messages wait, and with one back every message is handled once', async () => {
  const simulation = await start();
  await simulation.advance(2_000);
  for (const { name } of simulation.workers) simulation.kill(name);
  await simulation.advance(10_000);
  expect(simulation.waiting.length).toBe(simulation.published - simulation.handled);
  simulation.revive('worker-1');
  simulation.revive('worker-2');
  const { published } = simulation;
  await simulation.advance(60_000);
  expect(simulation.handled).toBeGreaterThanOrEqual(published);
  expect(simulation.lost).toBe(0);
  expect(simulation.workers.every(({ handled }) => handled > 5)).toBe(true);
});

test('time in small steps or in one gives the same', async () => {
  const [one, other] = [await start(), await start()];
  await one.advance(5_000);
  for (let step = 0; step < 50; step++) await other.advance(100);
  expect(other.workers).toEqual(one.workers);
  expect(numbers(other.done)).toEqual(numbers(one.done));
});

test('runs where there is nothing of Node', async () => {
  const page = await inPage<{ QueueSimulation: typeof QueueSimulation }>('queue/simulation.ts');
  const simulation = await page.QueueSimulation.start(['worker-1', 'worker-2']);
  await simulation.advance(10_000);
  expect(simulation.handled).toBeGreaterThan(0);
});

test('does not wait for timers, which a page in the background has once a second', async () => {
  const page = await inPage<{ QueueSimulation: typeof QueueSimulation }>('queue/simulation.ts', [
    'setTimeout',
  ]);
  const simulation = await page.QueueSimulation.start(['worker-1', 'worker-2']);
  await simulation.advance(10_000);
  expect(simulation.handled).toBeGreaterThan(0);
});
