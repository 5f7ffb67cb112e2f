import { defaultTo, listOf, objectWith, type RulesFor, record, required, text } from '@ashlar/core';
import type { Skip, TestRunner } from '@ashlar/core/testing';

export const runnerRule = required(objectWith<TestRunner>(['describe', 'it']), 'write `{ describe, it }`');

export const skipRule = defaultTo<readonly Skip[]>(
  [],
  listOf(record({ test: required(text()), reason: required(text()) } satisfies RulesFor<Skip>)),
);
