import { type Skip, suite, type TestRunner } from '@ashlar/core/testing';
import type { Eviction } from '../../bounded-map.ts';
import { bounds } from './bounds.ts';
import { departures } from './departures.ts';
import { entries } from './entries.ts';

export interface EvictionConformanceOptions {
  /** For the name of the suite. */
  readonly name: string;
  readonly skip?: readonly Skip[];
}

/**
 * The tests that every eviction policy must pass: the promises of `BoundedMap` and `Bound`, whatever it chooses to evict.
 * Randomness is seeded, so a policy passes always or never.
 */
export function evictionConformance(
  runner: TestRunner,
  eviction: Eviction,
  { name, skip = [] }: EvictionConformanceOptions,
): void {
  const tests = { ...entries(eviction), ...bounds(eviction), ...departures(eviction) };
  suite(runner, `the eviction policy ${name}`, tests, skip);
}
