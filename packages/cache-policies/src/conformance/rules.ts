import {
  defaultTo,
  listOf,
  objectWith,
  type Rule,
  type RulesFor,
  record,
  required,
  text,
} from '@ashlar/core';
import type { Skip, TestRunner } from '@ashlar/core/testing';

export const runnerRule: Rule<TestRunner> = required(
  objectWith<TestRunner>(['describe', 'it']),
  'write `{ describe, it }`',
);

export const skipRule: Rule<readonly Skip[]> = defaultTo<readonly Skip[]>(
  [],
  listOf(record({ test: required(text()), reason: required(text()) } satisfies RulesFor<Skip>)),
);
