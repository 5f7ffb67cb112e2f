import { type Skip, suite, type TestRunner } from '@ashlar/core/testing';
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

export interface StoreConformance {
  /** For the name of the suite. */
  readonly name: string;
  readonly features?: StoreFeatures;
  readonly skip?: readonly Skip[];
}

/**
 * The tests that every `Store` must pass, given to any runner. Each makes a subject of its own, which must be empty,
 * and disposes of it. They need some ten seconds on a real server; none depends on its speed.
 */
export function conformance(
  runner: TestRunner,
  makeSubject: MakeSubject,
  { name, features = {}, skip = [] }: StoreConformance,
): void {
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
  const bound = Object.entries(tests).map(([title, test]) => {
    const body = async () => {
      const subject = await makeSubject();
      try {
        await test(subject);
      } finally {
        await subject[Symbol.asyncDispose]();
      }
    };
    return [title, body] as const;
  });
  suite(runner, `the store ${name}`, Object.fromEntries(bound), skip);
}
