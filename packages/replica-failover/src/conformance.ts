import { functionOf, type RulesFor, readOptions, required, text } from '@ashlar/core';
import { onSubjects, runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import { changeTests } from './conformance/changes.ts';
import { failureTests } from './conformance/failures.ts';
import { outcomeTests } from './conformance/outcomes.ts';
import { readTests } from './conformance/reads.ts';
import type { MakeSubject } from './conformance/subject.ts';
import { writeTests } from './conformance/writes.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';
export type { MakeSubject, Subject } from './conformance/subject.ts';

export interface ReplicaSetConformanceOptions {
  /** What the suite is called. */
  readonly name: string;
  /** Tests to leave out, each with its reason. Default: none. */
  readonly skip?: readonly Skip[];
}

const rules = {
  name: required(text(), 'the name of the backend'),
  skip: skipRule,
} satisfies RulesFor<ReplicaSetConformanceOptions>;

/**
 * The tests that the servers of every backend must pass, for any test runner. Each test makes a subject of its own and
 * disposes of it; none depends on its speed.
 *
 * @throws InvalidOptionError
 */
export function replicaSetConformance<C>(
  runner: TestRunner,
  makeSubject: MakeSubject<C>,
  options: ReplicaSetConformanceOptions,
): void {
  const { name, skip } = readOptions('replicaSetConformance', options, rules);
  const maker = required(functionOf<MakeSubject<C>>('write `async () => ({ connect, … })`'));
  const tests = {
    ...readTests<C>(),
    ...writeTests<C>(),
    ...failureTests<C>(),
    ...outcomeTests<C>(),
    ...changeTests<C>(),
  };
  suite(
    runnerRule(runner, 'runner'),
    `replica sets on ${name}`,
    onSubjects(maker(makeSubject, 'makeSubject'), tests),
    skip,
  );
}
