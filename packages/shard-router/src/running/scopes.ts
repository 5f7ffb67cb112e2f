import { integer, oneOf, type RulesFor, readOptions } from '@ashlar/core';
import {
  anyWork,
  type Executor,
  type ReadScope,
  readScopeRules,
  scopeRules,
  transactionScopeRules,
} from '@ashlar/replica-failover/executor';

/** What a query may be told when it runs. */
export interface QueryScope extends ReadScope {
  /** What becomes of a query when one of several shards fails. `partial`: it goes on without, and `missing` says so. Default: `fail`. */
  readonly onShardError?: 'fail' | 'partial' | undefined;
}

export interface StreamScope extends QueryScope {
  /** Rows that are fetched from a shard at once. Default: 500. */
  readonly batchRows?: number | undefined;
}

const mostBatchRows = 100_000;

const queryRules: RulesFor<QueryScope> = {
  ...readScopeRules,
  onShardError: oneOf(undefined, ['fail', 'partial']),
};
const streamRules: RulesFor<StreamScope> = {
  ...queryRules,
  batchRows: integer(undefined, { min: 1, max: mostBatchRows }),
};

/** What calls of each kind may be told. */
type Kind = 'write' | 'read' | 'transaction' | 'query' | 'stream';
const rules = {
  write: scopeRules,
  read: readScopeRules,
  transaction: transactionScopeRules,
  query: queryRules,
  stream: streamRules,
};

/** @throws InvalidOptionError for a name that such a call does not know, or a value that it does not take */
export function checkScope(kind: Kind, scope: unknown, where: string = kind): void {
  if (scope !== undefined) readOptions(where, scope, rules[kind]);
}

/** The executor, with what each call is given checked before it does anything. */
export function checked<C>(executor: Executor<C>): Executor<C> {
  const check = (kind: 'read' | 'write' | 'transaction', work: unknown, scope: unknown) => {
    anyWork(work, 'work');
    checkScope(kind, scope);
  };
  return {
    async read(work, scope) {
      check('read', work, scope);
      return executor.read(work, scope);
    },
    async write(work, scope) {
      check('write', work, scope);
      return executor.write(work, scope);
    },
    async transaction(work, scope) {
      check('transaction', work, scope);
      return executor.transaction(work, scope);
    },
  };
}
