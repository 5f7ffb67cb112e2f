import type { ReadScope, Scope, TransactionScope } from './routing/scope.ts';

export type { Consistency, ReadScope, Scope, TransactionScope } from './routing/scope.ts';
export { anyWork, readScopeRules, scopeRules, transactionScopeRules } from './running/scope-rules.ts';
export { type Position, Session } from './session.ts';
export { currentSession } from './sessions/current-session.ts';

/**
 * Runs work on the right server: a replica set does, and so does a shard. The work gets a client for its own use until
 * it settles; one call keeps one connection.
 *
 * Work that certainly was not executed is run again, on the next primary if need be: so a callback may be called more than
 * once, and must not do anything outside of its client that cannot be repeated. Where it is not certain, the call rejects
 * with OutcomeUnknownError and nothing is repeated.
 */
export interface Executor<C> {
  /** Runs the work on the primary. Each statement commits by itself. */
  write<T>(work: (client: C) => Promise<T>, scope?: Scope): Promise<T>;
  /** Runs the work on a server that has what `consistency` asks for. The work must not write; it may run again elsewhere. */
  read<T>(work: (client: C) => Promise<T>, scope?: ReadScope): Promise<T>;
  /**
   * Runs the work on the primary, in a transaction that commits when the work resolves and rolls back when it rejects.
   * The executor owns its begin and commit: only so can it find out what became of a commit whose answer was lost, and
   * take the session's position after it.
   */
  transaction<T>(work: (client: C) => Promise<T>, scope?: TransactionScope): Promise<T>;
}
