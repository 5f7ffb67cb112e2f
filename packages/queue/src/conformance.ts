import {
  boolean,
  functionOf,
  objectWith,
  type RulesFor,
  readOptions,
  record,
  required,
  text,
} from '@ashlar/core';
import { onSubjects, runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import { abilityTests } from './conformance/abilities.ts';
import { basicTests } from './conformance/basics.ts';
import { connectionTests } from './conformance/connections.ts';
import { oddTests } from './conformance/odd-texts.ts';
import { leaseTests, settlingTests } from './conformance/settling.ts';
import type { MakeSubject, QueueFeatures, Test } from './conformance/subject.ts';
import type { Capabilities } from './driver.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';
export type { MakeSubject, QueueFeatures, Subject } from './conformance/subject.ts';

export interface QueueConformanceOptions {
  /** What the suite is called. */
  readonly name: string;
  /** What the driver says that it can do; a test compares the two. */
  readonly capabilities: Capabilities;
  /** Whether deliveries have a lease. Default: true. */
  readonly leases?: boolean;
  /** What the subject offers. Default: none of them. */
  readonly features?: QueueFeatures;
  /** Tests to leave out, each with its reason. Default: none. */
  readonly skip?: readonly Skip[];
}

const rules = {
  name: required(text(), 'the name of the driver'),
  capabilities: required(objectWith<Capabilities>([])),
  leases: boolean(true),
  features: record({ others: boolean(false), breaks: boolean(false) }),
  skip: skipRule,
} satisfies RulesFor<QueueConformanceOptions>;
const maker = required(functionOf<MakeSubject>('write `async () => ({ driver, [Symbol.asyncDispose]: … })`'));

/**
 * The tests that every `Driver` must pass, for any test runner. Each test makes a subject of its own, whose topics must
 * be empty, and disposes of it. What a driver cannot do, by its capabilities, is not tested.
 *
 * @throws InvalidOptionError
 */
export function queueConformance(
  runner: TestRunner,
  makeSubject: MakeSubject,
  options: QueueConformanceOptions,
): void {
  const { name, capabilities, leases, features, skip } = readOptions('queueConformance', options, rules);
  const make = maker(makeSubject, 'makeSubject');
  const abilities = Object.entries(abilityTests).filter(
    ([ability]) => capabilities[ability as keyof Capabilities] === true,
  );
  const tests: Record<string, Test> = {
    'the driver can do what the suite was given': async ({ driver, ...subject }) => {
      const said = JSON.stringify(sorted(driver.capabilities));
      if (said !== JSON.stringify(sorted(capabilities))) throw new Error(`the driver says ${said}`);
      if (features.others && !subject.other) throw new Error('the subject has no `other`');
      if (features.breaks && !subject.break) throw new Error('the subject has no `break`');
    },
    ...basicTests,
    ...settlingTests,
    ...oddTests,
    ...(leases ? leaseTests : {}),
    ...(features.breaks ? connectionTests : {}),
    ...Object.assign({}, ...abilities.map(([, abilityTests]) => abilityTests)),
  };
  suite(runnerRule(runner, 'runner'), `the queue driver ${name}`, onSubjects(make, tests), skip);
}

function sorted(capabilities: Capabilities): [string, boolean][] {
  return Object.entries(capabilities).sort(([a], [b]) => (a < b ? -1 : 1)) as [string, boolean][];
}
