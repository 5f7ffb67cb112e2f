import { expect, test } from 'vitest';
import { FailoverSimulation } from '../../.vitepress/theme/failover/simulation.ts';
import { inPage } from './in-page.ts';

const server = (simulation: FailoverSimulation, id: string) =>
  simulation.servers.find(each => each.id === id)!;
const level = (simulation: FailoverSimulation, name: string) =>
  simulation.levels.find(each => each.name.startsWith(name))!;

test.each(['kill', 'stop'] as const)(
  '%s the primary: a write waits, none is lost, and the old primary is fenced',
  async fault => {
    const simulation = await FailoverSimulation.start();
    await simulation.advance(5_000);
    expect(server(simulation, 'a')).toMatchObject({ role: 'primary', actions: ['kill', 'stop'] });
    simulation.act('a', fault);
    await simulation.advance(6_000);
    expect(simulation.term).toBe(2);
    const { acknowledged } = simulation;
    expect(simulation.longestMs).toBeLessThan(4_000);
    await simulation.advance(5_000);
    expect(simulation.acknowledged).toBeGreaterThan(acknowledged);
    expect(simulation.unknown).toBe(0);
    simulation.act('a', fault === 'kill' ? 'start' : 'resume');
    await simulation.advance(4_000);
    expect(server(simulation, 'a')).toMatchObject({ role: 'fenced', actions: ['kill', 'rejoin'] });
    simulation.act('a', 'rejoin');
    await simulation.advance(2_000);
    expect(server(simulation, 'a').role).toBe('replica');
    expect(simulation.lost).toBe(0);
  },
);

test('replicas that show nothing new are read where the level lets them be old, and nowhere else', async () => {
  const simulation = await FailoverSimulation.start();
  await simulation.advance(5_000);
  for (const id of ['b', 'c']) simulation.act(id, 'pauseReplay');
  await simulation.advance(10_000);
  for (const name of ['strong', 'session', 'at most']) {
    for (const read of level(simulation, name).reads) expect(read).toMatchObject({ server: 'a', behind: 0 });
  }
  const old = level(simulation, 'eventual').reads;
  expect(old).toHaveLength(4);
  for (const { server, behind } of old) {
    expect(server).not.toBe('a');
    expect(behind).toBeGreaterThan(5);
  }
  for (const id of ['b', 'c']) simulation.act(id, 'resumeReplay');
  await simulation.advance(5_000);
  for (const { behind } of level(simulation, 'eventual').reads) expect(behind).toBeLessThanOrEqual(1);
});

test('with every server dead writes and reads wait, and go on when two are back', async () => {
  const simulation = await FailoverSimulation.start();
  await simulation.advance(3_000);
  for (const id of ['a', 'b', 'c']) simulation.act(id, 'kill');
  await simulation.advance(5_000);
  const { acknowledged } = simulation;
  expect(simulation.writeWaitsMs).toBeGreaterThan(3_000);
  expect(level(simulation, 'eventual').waitsMs).toBeGreaterThan(3_000);
  for (const id of ['a', 'b']) simulation.act(id, 'start');
  await simulation.advance(10_000);
  expect(simulation.acknowledged).toBeGreaterThan(acknowledged);
  expect(simulation.lost).toBe(0);
});

test('after minutes without servers, what a read misses is counted in acknowledged writes', async () => {
  const simulation = await FailoverSimulation.start();
  await simulation.advance(3_000);
  for (const id of ['a', 'b', 'c']) simulation.act(id, 'kill');
  await simulation.advance(120_000);
  expect(simulation.events.at(-1)!.text).toMatch(/^(?:write \d+|a read \(.*\)) failed: /);
  for (const id of ['a', 'b', 'c']) simulation.act(id, 'start');
  await simulation.advance(20_000);
  for (const id of ['b', 'c']) simulation.act(id, 'pauseReplay');
  const { acknowledged } = simulation;
  await simulation.advance(10_000);
  const missed = simulation.acknowledged - acknowledged;
  expect(missed).toBeGreaterThan(5);
  for (const { behind } of level(simulation, 'eventual').reads) expect(behind).toBeGreaterThan(missed / 2);
  expect(simulation.lost).toBe(0);
  expect(simulation.events.map(({ text }) => text).join()).not.toContain('undefined');
});

test('what cannot be done is not', async () => {
  const simulation = await FailoverSimulation.start();
  await simulation.advance(2_000);
  simulation.act('a', 'rejoin');
  simulation.act('none', 'kill');
  expect(simulation.events).toEqual([]);
});

test('runs where there is nothing of Node', async () => {
  const page = await inPage<{ FailoverSimulation: typeof FailoverSimulation }>('failover/simulation.ts');
  const simulation = await page.FailoverSimulation.start();
  await simulation.advance(3_000);
  simulation.act('a', 'kill');
  await simulation.advance(3_000);
  expect(simulation.term).toBe(2);
});
