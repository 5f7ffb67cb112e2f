import { functionOf, type RulesFor, readOptions, required, text } from '@ashlar/core';
import { onSubjects, runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import { moveTests } from './conformance/moves.ts';
import type { MakeMoveSubject } from './conformance/subject.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';
export type { MakeMoveSubject, MoveSubject } from './conformance/subject.ts';

export interface MoveConformanceOptions {
  /** What the suite is called. */
  readonly name: string;
  /** Tests to leave out, each with its reason. Default: none. */
  readonly skip?: readonly Skip[];
}

const rules = {
  name: required(text(), 'the name of the backend'),
  skip: skipRule,
} satisfies RulesFor<MoveConformanceOptions>;
const anyMaker = required(functionOf<MakeMoveSubject>('write `async () => ({ move, backend, … })`'));

/**
 * The tests that every `MoveBackend` must pass, for any test runner. Each test makes two shards of its own and disposes of them; none
 * depends on their speed.
 *
 * @throws InvalidOptionError
 */
export function moveConformance(
  runner: TestRunner,
  makeSubject: MakeMoveSubject,
  options: MoveConformanceOptions,
): void {
  const { name, skip } = readOptions('moveConformance', options, rules);
  suite(
    runnerRule(runner, 'runner'),
    `moves on ${name}`,
    onSubjects(anyMaker(makeSubject, 'makeSubject'), moveTests),
    skip,
  );
}
