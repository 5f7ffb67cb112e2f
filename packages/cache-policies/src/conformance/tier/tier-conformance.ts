import { type Skip, suite, type TestRunner } from '@ashlar/core/testing';
import { faultTests } from './faults.ts';
import { feedTests } from './feed.ts';
import { leaseTests } from './leases.ts';
import { raceTests } from './races.ts';
import { type MakeTierSubject, Scene, type TierFeatures, type TierTests } from './subject.ts';
import { valueTests } from './values.ts';

export interface TierConformanceOptions {
  /** For the name of the suite. */
  readonly name: string;
  readonly features?: TierFeatures;
  readonly skip?: readonly Skip[];
}

/**
 * The tests that every `RemoteTier` must pass, given to any runner. Each makes a subject of its own, which must be empty,
 * and disposes of it. None depends on the speed of the tier.
 */
export function tierConformance(
  runner: TestRunner,
  makeSubject: MakeTierSubject,
  { name, features = {}, skip = [] }: TierConformanceOptions,
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
