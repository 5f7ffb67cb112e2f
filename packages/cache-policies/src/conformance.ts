import { type Skip, suite, type TestRunner } from '@ashlar/core/testing';
import type { Eviction } from './bounded-map.ts';
import { bounds } from './conformance/bounds.ts';
import { departures } from './conformance/departures.ts';
import { entries } from './conformance/entries.ts';

export type { Skip, TestRunner } from '@ashlar/core/testing';

export interface EvictionConformance {
  /** For the name of the suite. */
  readonly name: string;
  readonly skip?: readonly Skip[];
}

/**
 * The tests that every eviction policy must pass: the promises of `BoundedMap` and `Bound`, whatever it chooses to evict.
 * Randomness is seeded, so a policy passes always or never.
 */
export function conformance(
  runner: TestRunner,
  eviction: Eviction,
  { name, skip = [] }: EvictionConformance,
): void {
  const tests = { ...entries(eviction), ...bounds(eviction), ...departures(eviction) };
  suite(runner, `the eviction policy ${name}`, tests, skip);
}
