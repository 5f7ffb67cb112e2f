import { durationMs, refused, required } from '@ashlar/core';
import type { Consistency } from './scope.ts';

const named = ['strong', 'session', 'monotonic', 'eventual', 'nearest'] as const;
const expected = [...named.map(each => JSON.stringify(each)), '{ maxStalenessMs }'].join(' or ');
const staleness = required(durationMs());

/** @throws InvalidOptionError */
export function checkedConsistency(value: unknown): Consistency | undefined {
  if (value === undefined || named.includes(value as (typeof named)[number])) return value as Consistency;
  const names = Object.keys(Object(value));
  if (names.length !== 1 || names[0] !== 'maxStalenessMs') throw refused('consistency', expected, value);
  const { maxStalenessMs } = value as { maxStalenessMs: unknown };
  return { maxStalenessMs: staleness(maxStalenessMs, 'consistency.maxStalenessMs') };
}

/** What messages call it: `session`, `maxStalenessMs: 500`. */
export function textOf(consistency: Consistency): string {
  return typeof consistency === 'string' ? consistency : `maxStalenessMs: ${consistency.maxStalenessMs}`;
}
