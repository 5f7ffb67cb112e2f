import { type Skip, suite, type TestRunner } from '@ashlar/core/testing';
import { faultTests } from './conformance-tier/faults.ts';
import { feedTests } from './conformance-tier/feed.ts';
import { leaseTests } from './conformance-tier/leases.ts';
import { raceTests } from './conformance-tier/races.ts';
import {
  type MakeTierSubject,
  Scene,
  type TierFeatures,
  type TierTests,
} from './conformance-tier/subject.ts';
import { valueTests } from './conformance-tier/values.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';
export type { MakeTierSubject, TierFeatures, TierSubject } from './conformance-tier/subject.ts';

export interface TierConformance {
  /** For the name of the suite. */
  readonly name: string;
  readonly features?: TierFeatures;
  readonly skip?: readonly Skip[];
}

/**
 * The tests that every `RemoteTier` must pass, given to any runner. Each makes a subject of its own, which must be empty,
 * and disposes of it. None depends on the speed of the tier.
 */
export function conformance(
  runner: TestRunner,
  makeSubject: MakeTierSubject,
  { name, features = {}, skip = [] }: TierConformance,
): void {
  const tests: TierTests = {
    ...valueTests,
    ...leaseTests,
    ...raceTests,
    ...feedTests,
    ...faultTests(features),
  };
  const bound = Object.entries(tests).map(([title, test]) => {
    const body = async () => {
      await using scene = new Scene(await makeSubject());
      await test(scene);
    };
    return [title, body] as const;
  });
  suite(runner, `the tier ${name}`, Object.fromEntries(bound), skip);
}
