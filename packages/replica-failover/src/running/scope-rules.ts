import {
  durationMs,
  functionOf,
  objectWith,
  type Rule,
  type RulesFor,
  required,
  signal,
  text,
} from '@ashlar/core';
import { checkedConsistency } from '../routing/consistency.ts';
import type { ReadScope, Scope, TransactionScope } from '../routing/scope.ts';
import type { Session } from '../session.ts';

/** Checks the work of a call. @throws InvalidOptionError */
export const anyWork: Rule<(client: never) => Promise<unknown>> = required(
  functionOf<(client: never) => Promise<unknown>>('write `async client => …`'),
  'write `async client => …`',
);

/** The rules of what a call belongs to, by its operation, for executors that check it. */
export const scopeRules: RulesFor<Scope> = {
  session: objectWith<Session>(['serialize', 'position', 'advance', 'forget'], 'write `new Session()`'),
  signal: signal(),
  timeoutMs: durationMs(undefined, { above: 0 }),
};
export const readScopeRules: RulesFor<ReadScope> = { ...scopeRules, consistency: checkedConsistency };
export const transactionScopeRules: RulesFor<TransactionScope> = { ...scopeRules, isolation: text() };
