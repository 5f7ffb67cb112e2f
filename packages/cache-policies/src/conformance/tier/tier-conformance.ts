import { boolean, functionOf, type RulesFor, readOptions, record, required, text } from '@ashlar/core';
import { onSubjects, runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
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

const rules = {
  name: required(text()),
  features: record({
    empties: boolean(false),
    breaks: boolean(false),
    loses: boolean(false),
  } satisfies RulesFor<TierFeatures>),
  skip: skipRule,
} satisfies RulesFor<TierConformanceOptions>;
const makeRule = required(functionOf<MakeTierSubject>());

/**
 * The tests that every `RemoteTier` must pass, for any runner. Each test makes a subject of its own, which must be empty,
 * and disposes of it. No test depends on the speed of the tier.
 *
 * @throws InvalidOptionError
 */
export function tierConformance(
  runner: TestRunner,
  makeSubject: MakeTierSubject,
  options: TierConformanceOptions,
): void {
  runnerRule(runner, 'runner');
  makeRule(makeSubject, 'makeSubject');
  const { name, features, skip } = readOptions('tierConformance', options, rules);
  const tests: TierTests = {
    ...valueTests,
    ...leaseTests,
    ...raceTests,
    ...feedTests,
    ...faultTests(features),
  };
  const scenes = onSubjects(async () => new Scene(await makeSubject()), tests);
  suite(runner, `the tier ${name}`, scenes, skip);
}
