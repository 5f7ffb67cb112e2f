import { expect, test } from 'vitest';
import { LeaseSimulation, ttlMs } from '../../.vitepress/theme/lease/simulation.ts';
import { inPage } from './in-page.ts';

const start = () => LeaseSimulation.start(['one', 'two', 'three']);
const holderOf = (simulation: LeaseSimulation) =>
  simulation.processes.find(({ state }) => state === 'holds')?.name;

/** Moves on until this is so. */
async function until(simulation: LeaseSimulation, isSo: () => boolean): Promise<void> {
  while (!isSo()) await simulation.advance(100);
}

test('processes take turns, each with a greater token, and no write is refused', async () => {
  const simulation = await start();
  await simulation.advance(60_000);
  expect(simulation.taken).toBeGreaterThan(100);
  expect(simulation.refused).toBe(0);
  const told = simulation.events.map(({ text }) => text).filter(text => text.includes('has the lease'));
  expect(new Set(told.map(text => text.split(' ')[0])).size).toBeGreaterThan(1);
});

test('who stood still for longer than its lease writes once too often, and is refused', async () => {
  const simulation = await start();
  await simulation.advance(2_000);
  const name = holderOf(simulation)!;
  simulation.stop(name);
  await simulation.advance(ttlMs / 2);
  expect(holderOf(simulation)).toBeUndefined(); // nobody can have it yet
  await until(simulation, () => holderOf(simulation) !== undefined && simulation.writes.at(-1)?.by !== name);
  const { taken } = simulation;
  simulation.resume(name);
  await simulation.advance(100);
  expect(simulation.refused).toBe(1);
  expect(simulation.writes.find(({ isRefused }) => isRefused)?.by).toBe(name);
  expect(simulation.events.map(({ text }) => text).join()).toContain(`${name} writes with token 1: refused`);
  await simulation.advance(2_000);
  expect(simulation.refused).toBe(1);
  expect(simulation.taken).toBeGreaterThan(taken);
  expect(simulation.processes.filter(({ state }) => state === 'holds')).toHaveLength(1);
});

test('who stood still for less keeps the lease', async () => {
  const simulation = await start();
  await simulation.advance(2_000);
  const name = holderOf(simulation)!;
  simulation.stop(name);
  // stopped again, which changes nothing
  simulation.stop(name);
  await simulation.advance(500);
  simulation.resume(name);
  await simulation.advance(2_000);
  expect(holderOf(simulation)).toBe(name);
  expect(simulation.refused).toBe(0);
});

test('with all standing still nobody writes, and one that goes on does', async () => {
  const simulation = await start();
  await simulation.advance(2_000);
  for (const { name } of simulation.processes) simulation.stop(name);
  const { taken } = simulation;
  await simulation.advance(20_000);
  expect(simulation.taken).toBe(taken);
  for (const { name } of simulation.processes) simulation.resume(name);
  await simulation.advance(10_000);
  expect(simulation.taken).toBeGreaterThan(taken);
});

test('runs where there is nothing of Node', async () => {
  const page = await inPage<{ LeaseSimulation: typeof LeaseSimulation }>('lease/simulation.ts');
  const simulation = await page.LeaseSimulation.start(['one', 'two']);
  await simulation.advance(3_000);
  expect(simulation.taken).toBeGreaterThan(0);
});
