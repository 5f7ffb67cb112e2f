import { consistent, leastRequests, type PolicyFactory, peakEwma, random, roundRobin } from '@ashlar/lb';

/** How the proxy may balance, and how that is called in a report. */
export const policyTitles = {
  'peak-ewma': 'peak EWMA',
  consistent: 'sticky by product',
  'least-requests': 'least requests',
  'round-robin': 'round robin',
  random: 'random',
} as const;

export type PolicyName = keyof typeof policyTitles;

export const policyNames: readonly PolicyName[] = Object.keys(policyTitles) as PolicyName[];

export const balancerPolicies: Readonly<Record<PolicyName, () => PolicyFactory>> = {
  'peak-ewma': peakEwma,
  consistent,
  'least-requests': leastRequests,
  'round-robin': roundRobin,
  random,
};
