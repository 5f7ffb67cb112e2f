/** The tests that every eviction policy and every shared tier must pass, given to any test runner. Node only. */
export type { Skip, TestRunner } from '@ashlar/core/testing';
export {
  type EvictionConformanceOptions,
  evictionConformance,
} from './conformance/eviction/eviction-conformance.ts';
export type { MakeTierSubject, TierFeatures, TierSubject } from './conformance/tier/subject.ts';
export { type TierConformanceOptions, tierConformance } from './conformance/tier/tier-conformance.ts';
