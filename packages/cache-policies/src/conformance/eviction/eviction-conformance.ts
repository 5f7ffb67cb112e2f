import { functionOf, type RulesFor, readOptions, required, text } from '@ashlar/core';
import { runnerRule, type Skip, skipRule, suite, type TestRunner } from '@ashlar/core/testing';
import type { Eviction } from '../../bounded-map.ts';
import { bounds } from './bounds.ts';
import { departures } from './departures.ts';
import { entries } from './entries.ts';

export interface EvictionConformanceOptions {
  /** For the name of the suite. */
  readonly name: string;
  readonly skip?: readonly Skip[];
}

const rules = { name: required(text()), skip: skipRule } satisfies RulesFor<EvictionConformanceOptions>;
const evictionRule = required(functionOf<Eviction>());

/**
 * The tests that every eviction policy must pass: the promises of `BoundedMap` and `Bound`, whichever entries it chooses
 * to evict. Randomness is seeded, so a policy passes always or never.
 *
 * @throws InvalidOptionError
 */
export function evictionConformance(
  runner: TestRunner,
  eviction: Eviction,
  options: EvictionConformanceOptions,
): void {
  runnerRule(runner, 'runner');
  evictionRule(eviction, 'eviction');
  const { name, skip } = readOptions('evictionConformance', options, rules);
  const tests = { ...entries(eviction), ...bounds(eviction), ...departures(eviction) };
  suite(runner, `the eviction policy ${name}`, tests, skip);
}
