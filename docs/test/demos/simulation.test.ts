import { leastRequests, peakEwma, roundRobin } from '@ashlar/lb';
import { expect, test } from 'vitest';
import { roomOf, Simulation } from '../../.vitepress/theme/lb/simulation.ts';

const simulate = () => new Simulation({ least: leastRequests(), turns: roundRobin() }, 5, 42);

test('time in small steps or in one gives the same', () => {
  const [one, other] = [simulate(), simulate()];
  one.advance(3_000);
  for (let step = 0; step < 300; step++) other.advance(10);
  expect(other.figures()).toEqual(one.figures());
  expect(other.replicas('least')).toEqual(one.replicas('least'));
});

test('every policy gets the same requests', () => {
  const simulation = simulate();
  simulation.advance(10_000);
  const picked = (name: 'least' | 'turns') =>
    simulation.replicas(name).reduce((sum, one) => sum + one.picked, 0);
  expect(picked('least')).toBe(picked('turns'));
  expect(picked('least')).toBeGreaterThan(500);
});

test('a slow replica fills up when all take turns, and is spared by the less busy of two', () => {
  const simulation = simulate();
  simulation.setHealth('replica-3', 'slow');
  const fullest = { least: 0, turns: 0 };
  for (let second = 0; second < 20; second++) {
    simulation.advance(1_000);
    for (const name of ['least', 'turns'] as const) {
      fullest[name] = Math.max(fullest[name], simulation.replicas(name)[2]?.inFlight ?? 0);
    }
  }
  const [least, turns] = simulation.figures();
  expect(fullest.turns).toBeGreaterThanOrEqual(roomOf);
  expect(fullest.least).toBeLessThan(roomOf / 2);
  expect(least?.figures.p99Ms).toBeLessThan(turns!.figures.p99Ms / 2);
});

test('a failing replica is taken out, and comes back when it is mended', () => {
  const simulation = simulate();
  simulation.setHealth('replica-3', 'failing');
  // after five failures, and it is picked seldom once it has failed
  simulation.advance(5_000);
  expect(simulation.replicas('least')[2]?.state).toBe('ejected');
  simulation.setHealth('replica-3', 'healthy');
  simulation.advance(10_000);
  expect(simulation.replicas('least')[2]?.state).toBe('up');
});

test('the first view of the demo shows that policies differ while one replica is slow', () => {
  const policies = { peak: peakEwma(), least: leastRequests(), turns: roundRobin() };
  const simulation = new Simulation(policies, 5, 42);
  simulation.setHealth('replica-3', 'slow');
  simulation.advance(10_000);
  const [peak, least, turns] = simulation.figures().map(({ figures }) => figures.p99Ms);
  expect(peak).toBeLessThan(least! / 2);
  expect(least).toBeLessThan(turns! / 2);
});
