import { boolean, functionOf, type RulesFor, readOptions, record, required, text } from '@ashlar/core';
import { onSubjects, runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import { claimTests } from './conformance/claims.ts';
import { expiryTests } from './conformance/expiry.ts';
import { faultTests } from './conformance/faults.ts';
import { keyTests } from './conformance/keys.ts';
import { listTests } from './conformance/lists.ts';
import { manyTests } from './conformance/many.ts';
import type { MakeSubject, StoreFeatures, Tests } from './conformance/subject.ts';
import { valueTests } from './conformance/values.ts';
import { watchTests } from './conformance/watches.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';
export type { MakeSubject, StoreFeatures, Subject } from './conformance/subject.ts';

export interface StoreConformanceOptions {
  /** What the suite is called. */
  readonly name: string;
  /** What the subject offers. Default: none of them. */
  readonly features?: StoreFeatures;
  /** Tests to leave out, each with its reason. Default: none. */
  readonly skip?: readonly Skip[];
}

const rules = {
  name: required(text(), 'the name of the backend'),
  features: record({ others: boolean(false), loses: boolean(false), breaks: boolean(false) }),
  skip: skipRule,
} satisfies RulesFor<StoreConformanceOptions>;
const maker = required(functionOf<MakeSubject>('write `async () => ({ store, [Symbol.asyncDispose]: … })`'));

/**
 * The tests that every `Store` must pass, for any test runner. Each test makes a subject of its own, which must be empty,
 * and disposes of it. On a real server they take some ten seconds; none depends on its speed.
 *
 * @throws InvalidOptionError
 */
export function storeConformance(
  runner: TestRunner,
  makeSubject: MakeSubject,
  options: StoreConformanceOptions,
): void {
  const { name, features, skip } = readOptions('storeConformance', options, rules);
  const make = maker(makeSubject, 'makeSubject');
  const tests: Tests = {
    ...valueTests,
    ...keyTests,
    ...manyTests,
    ...listTests,
    ...expiryTests,
    ...watchTests,
    ...claimTests,
    ...faultTests(features),
  };
  suite(runnerRule(runner, 'runner'), `the store ${name}`, onSubjects(make, tests), skip);
}
