import {
  consistent,
  LoadBalancer,
  leastRequests,
  type PolicyFactory,
  peakEwma,
  random,
  roundRobin,
  weightedRoundRobin,
} from '@ashlar/lb';
import { type Bench, figures, timing, type Work } from '@workspace/bench';
import { bytesPerTime } from './allocation.ts';

const policies: Readonly<Record<string, PolicyFactory>> = {
  'peakEwma()': peakEwma(),
  'leastRequests()': leastRequests(),
  'roundRobin()': roundRobin(),
  'weightedRoundRobin()': weightedRoundRobin(),
  'random()': random(),
  'consistent()': consistent(),
  'consistent(loadFactor 1.25)': consistent(undefined, { loadFactor: 1.25 }),
};

const keys = Array.from({ length: 2 ** 16 }, (_, i) => `user:${i}`);
const well = { ok: true };

function balancer(policy: PolicyFactory, count: number) {
  // Ten different weights, as of machines of several kinds
  const endpoints = Array.from({ length: count }, (_, i) => ({
    id: `10.0.${i >> 8}.${i & 255}`,
    weight: 1 + (i % 10),
  }));
  return new LoadBalancer({ endpoints, policy });
}

/** As many in flight as there are endpoints, so that there is a load to go by; the oldest is done at each pick. */
function pickAndDone(policy: PolicyFactory, count: number): Work {
  const lb = balancer(policy, count);
  const inFlight = Array.from({ length: count }, (_, i) => lb.pick({ key: keys[i]! }));
  const request = { key: '' };
  let next = 0;
  return times => {
    for (let i = 0; i < times; i++) {
      request.key = keys[next & 0xffff]!;
      const slot = next++ % count;
      inFlight[slot]!.done(well);
      inFlight[slot] = lb.pick(request);
    }
    return inFlight;
  };
}

const worksFor = (count: number) =>
  Object.fromEntries(Object.entries(policies).map(([name, policy]) => [name, pickAndDone(policy, count)]));

export const picks: readonly Bench[] = [10, 1_000].flatMap(count => [
  timing(`pick and done, ${count} endpoints`, () => {
    const { 'peakEwma()': ours, ...peers } = worksFor(count);
    let clock = 0;
    const readings: Work = times => {
      for (let i = 0; i < times; i++) clock += performance.now();
      return clock;
    };
    return { ours: ['peakEwma()', ours!], peers: { ...peers, 'reading the clock once': readings } };
  }),
  figures(`bytes allocated by a pick and done, ${count} endpoints`, 'bytes', () => {
    const bytes = Object.entries(worksFor(count)).map(([name, work]) => [name, bytesPerTime(work)] as const);
    const { 'peakEwma()': ours, ...peers } = Object.fromEntries(bytes);
    return { ours: ['peakEwma()', ours!], peers };
  }),
]);
