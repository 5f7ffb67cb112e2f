import { HashRing, MaglevTable, RendezvousHash } from '@ashlar/hash-ring';
import type { PolicyConformance } from '../src/conformance.ts';
import {
  consistent,
  leastRequests,
  type PolicyFactory,
  peakEwma,
  prequal,
  random,
  roundRobin,
  shuffleShard,
  weightedRoundRobin,
  zoneAware,
} from '../src/index.ts';

/** Every policy of this package, with what it promises; a new one joins the list and is tested. */
export const policies: readonly (PolicyConformance & { readonly policy: PolicyFactory })[] = [
  { name: 'roundRobin()', policy: roundRobin() },
  { name: 'random()', policy: random(), features: { weighted: true } },
  {
    name: 'weightedRoundRobin()',
    policy: weightedRoundRobin(),
    features: { weighted: true, tolerance: 0.01 },
  },
  { name: 'leastRequests()', policy: leastRequests(), features: { weighted: true, failureAware: true } },
  { name: 'peakEwma()', policy: peakEwma(), features: { weighted: true, failureAware: true } },
  {
    name: 'prequal()',
    policy: prequal({ probe: () => Promise.reject() }),
    features: { weighted: true, failureAware: true },
  },
  {
    name: 'consistent()',
    policy: consistent(),
    features: { weighted: true, keyed: true, tolerance: 0.3 },
  },
  {
    name: 'consistent(HashRing)',
    policy: consistent(endpoints => new HashRing(endpoints, { vnodes: 1_000 })),
    features: { weighted: true, keyed: true, tolerance: 0.15 },
  },
  {
    name: 'consistent(MaglevTable)',
    policy: consistent(endpoints => new MaglevTable(endpoints)),
    features: { weighted: true, keyed: true },
  },
  {
    name: 'consistent(RendezvousHash, bounded)',
    policy: consistent(endpoints => new RendezvousHash(endpoints), { loadFactor: 1.25 }),
    features: { weighted: true, keyed: true },
  },
  {
    name: 'zoneAware(leastRequests())',
    policy: zoneAware({ zone: 'here' }),
    features: { weighted: true, failureAware: true },
  },
  {
    name: 'shuffleShard(peakEwma()) of all',
    policy: shuffleShard({ size: 20, policy: peakEwma() }),
    features: { weighted: true, failureAware: true },
  },
];
