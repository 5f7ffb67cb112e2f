import {
  consistent,
  type Endpoint,
  LoadBalancer,
  leastRequests,
  type PolicyFactory,
  peakEwma,
  prequal,
  random,
  roundRobin,
  weightedRoundRobin,
} from '@ashlar/lb';
import { type Bench, type Figures, figures, median, noiseFloor, timing, type Work } from '@workspace/bench';
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
  return new LoadBalancer<Endpoint>({ endpoints, policy });
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

const batch = 1_000;
const rounds = 1_000;

/** The median nanoseconds of a pick and of a `done`, each in batches: all that a batch picks is in flight until its end. */
function apart(lb: LoadBalancer<Endpoint>): { pick: number[]; done: number[]; round(): void } {
  const inFlight = Array.from({ length: batch }, () => lb.pick());
  for (const picked of inFlight) picked.done(well);
  const [pick, done]: [number[], number[]] = [[], []];
  const request = { key: '' };
  let next = 0;
  const round = () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < batch; i++) {
      request.key = keys[next++ & 0xffff]!;
      inFlight[i] = lb.pick(request);
    }
    const picked = process.hrtime.bigint();
    for (let i = 0; i < batch; i++) inFlight[i]!.done(well);
    done.push(Number(process.hrtime.bigint() - picked) / batch);
    pick.push(Number(picked - start) / batch);
  };
  return { pick, done, round };
}

/** Run it with a filter that names one policy, and that policy has the process to itself, as in an application. */
function pickOf(policy: PolicyFactory, count: number): Figures {
  const [one, same] = [apart(balancer(policy, count)), apart(balancer(policy, count))];
  const clock: number[] = [];
  for (let i = 0; i < rounds; i++) {
    one.round();
    same.round();
    const start = process.hrtime.bigint();
    clockReadings(batch);
    clock.push(Number(process.hrtime.bigint() - start) / batch);
  }
  // The first are those of code that was not compiled yet
  const settled = (samples: number[]) => median(samples.slice(rounds / 4));
  return {
    ours: ['pick', settled(one.pick)],
    peers: {
      [noiseFloor]: settled(same.pick),
      'its done': settled(one.done),
      'reading the clock once': settled(clock),
    },
  };
}

/** The policy alone, as in one turn no probe of a balancer could be answered: a pick and the answers to its probes. */
function probedPick(count: number): Work {
  const policy = prequal({ probe: () => Promise.reject(new Error('not asked')) })<Endpoint>();
  policy.update(
    Array.from({ length: count }, (_, i) => ({ endpoint: { id: `${i}` }, inFlight: 0, weight: 1 })),
  );
  const request = { now: 0, random: Math.random, skip: () => false };
  const load = { inFlight: 3, latencyMs: 10 };
  return times => {
    let last: unknown;
    for (let i = 0; i < times; i++) {
      last = policy.pick(request);
      for (let probe = 0; probe < 3; probe++)
        policy.probing!.probed(policy.probing!.next(Math.random)!, load, 0);
    }
    return last;
  };
}

const clockReadings: Work = times => {
  let sum = 0;
  for (let i = 0; i < times; i++) sum += performance.now();
  return sum;
};

function worksFor(count: number) {
  const works = Object.entries(policies).map(([name, policy]) => [name, pickAndDone(policy, count)] as const);
  const { 'peakEwma()': ours, ...peers } = Object.fromEntries(works);
  return { ours: ['peakEwma()', ours!] as const, peers };
}

const counts = [10, 1_000];

const timings: readonly Bench[] = counts.flatMap(count => [
  ...Object.entries(policies).map(([name, policy]) =>
    figures(`a pick of ${name}, ${count} endpoints`, 'ns', () => pickOf(policy, count)),
  ),
  timing(`pick and done, ${count} endpoints`, () => {
    const { ours, peers } = worksFor(count);
    const probed = { 'the policy prequal() and its probes, without a balancer': probedPick(count) };
    return { ours, peers: { ...peers, ...probed, 'reading the clock once': clockReadings }, rounds: 15 };
  }),
]);

const allocations: readonly Bench[] = counts.map(count =>
  figures(`bytes allocated by a pick and done, ${count} endpoints`, 'bytes', () => {
    const { ours, peers } = worksFor(count);
    const bytes = Object.entries(peers).map(([name, work]) => [name, bytesPerTime(work)]);
    return { ours: [ours[0], bytesPerTime(ours[1])], peers: Object.fromEntries(bytes) };
  }),
);

export const picks: readonly Bench[] = [...timings, ...allocations];
