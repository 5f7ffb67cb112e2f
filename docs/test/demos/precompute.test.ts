import { expect, test } from 'vitest';
import { keyCount, leaseMs, PublishSimulation } from '../../.vitepress/theme/precompute/simulation.ts';
import { inPage } from './in-page.ts';

const start = () => PublishSimulation.start(['builder-1', 'builder-2']);

/** Moves on until an edition is built in part. */
async function halfBuilt(simulation: PublishSimulation): Promise<string> {
  for (;;) {
    const builder = simulation.builders.find(({ built = 0 }) => built > keyCount / 3);
    if (builder !== undefined) return builder.name;
    await simulation.advance(100);
  }
}

test('pages of what is overwritten are torn while it is built, and those of versions never', async () => {
  const simulation = await start();
  await simulation.advance(60_000);
  const { overwritten, published, version } = simulation;
  expect(version).toBeGreaterThan(5);
  expect(published.read).toBeGreaterThan(50);
  expect(overwritten.read).toBe(published.read);
  expect(overwritten.torn).toBeGreaterThan(5);
  expect(published.torn).toBe(0);
  expect(new Set(published.keys).size).toBe(1);
});

test('a builder that dies leaves a mix where it overwrites; the other builder finishes the version', async () => {
  const simulation = await start();
  await simulation.advance(14_000);
  const name = await halfBuilt(simulation);
  const { version } = simulation;
  simulation.kill(name);
  // killed again, which changes nothing
  simulation.kill(name);
  expect(simulation.events.at(-1)).toMatch(/^builder-\d dies with \d+ of 24 keys written: /);
  await simulation.advance(leaseMs / 2);
  expect(new Set(simulation.overwritten.keys).size).toBe(2);
  expect(new Set(simulation.published.keys)).toEqual(new Set([simulation.published.keys[0]]));
  await simulation.advance(2 * leaseMs);
  expect(simulation.events.join('\n')).toMatch(/builder-\d takes the run over, from key (6|12|18)\n/);
  expect(simulation.version).toBeGreaterThan(version);
  expect(simulation.published.torn).toBe(0);
});

test('with both builders dead readers keep the last version, and one that comes back publishes the next', async () => {
  const simulation = await start();
  await simulation.advance(20_000);
  await halfBuilt(simulation);
  for (const { name } of simulation.builders) simulation.kill(name);
  const { version } = simulation;
  await simulation.advance(30_000);
  expect(simulation.version).toBe(version);
  await simulation.revive('builder-2');
  await simulation.advance(20_000);
  expect(simulation.version).toBeGreaterThan(version);
  expect(simulation.published.torn).toBe(0);
});

test('a rollback serves the version before, and holds publishing until it goes on', async () => {
  const simulation = await start();
  await simulation.rollback();
  expect(simulation.isHeld).toBe(false);
  expect(simulation.events).toEqual(['there is no earlier version yet']);
  await simulation.advance(30_000);
  const { version } = simulation;
  await simulation.rollback();
  expect(simulation.version).toBe(version - 1);
  await simulation.advance(30_000);
  expect(simulation.version).toBe(version - 1);
  await simulation.resume();
  await simulation.advance(20_000);
  expect(simulation.version).toBeGreaterThan(version);
});

test('runs where there is nothing of Node', async () => {
  const page = await inPage<{ PublishSimulation: typeof PublishSimulation }>('precompute/simulation.ts');
  const simulation = await page.PublishSimulation.start(['builder-1', 'builder-2']);
  await simulation.advance(20_000);
  expect(simulation.version).toBeGreaterThan(0);
});
