import { InvalidOptionError, readOptions } from '@ashlar/core';
import type { Consistency, ReadScope, Scope, TransactionScope } from '../executor.ts';
import type { Need } from '../routing/route.ts';
import type { Session } from '../session.ts';
import { currentSession } from '../sessions/current-session.ts';
import { Call, type Operation } from './call.ts';
import type { Deadlines } from './deadlines.ts';
import type { Reads } from './reads.ts';
import type { Work } from './runner.ts';
import { anyWork, readScopeRules, scopeRules, transactionScopeRules } from './scope-rules.ts';
import type { Writes } from './writes.ts';

export interface CallsSettings {
  readonly set: string;
  /** Milliseconds that a call has which names no time. */
  readonly timeoutMs: number;
}

/** What callers ask for: each call with its scope checked, its time, and the session that it is of. */
export class Calls<C> {
  readonly #settings: CallsSettings;
  readonly #deadlines: Deadlines;
  readonly #writes: Writes<C>;
  readonly #reads: Reads<C>;

  constructor(settings: CallsSettings, deadlines: Deadlines, writes: Writes<C>, reads: Reads<C>) {
    this.#settings = settings;
    this.#deadlines = deadlines;
    this.#writes = writes;
    this.#reads = reads;
  }

  write<T>(work: Work<C, T>, scope: Scope): Promise<T> {
    const { session, ...options } = this.#checked('write', work, scope, scopeRules);
    return Call.run(options, call => this.#writes.write(call, work, session));
  }

  read<T>(work: Work<C, T>, scope: ReadScope): Promise<T> {
    const { session, ...options } = this.#checked('read', work, scope, readScopeRules);
    const need = this.#need(scope.consistency, session);
    return Call.run(options, call => this.#reads.run(call, work, need, session));
  }

  transaction<T>(work: Work<C, T>, scope: TransactionScope): Promise<T> {
    const { session, ...options } = this.#checked('transaction', work, scope, transactionScopeRules);
    return Call.run(options, call => this.#writes.transaction(call, work, session, scope.isolation));
  }

  /** Waits as a call does, for something else than work. */
  waiting(until: (call: Call) => Promise<void>): Promise<void> {
    const { timeoutMs } = this.#settings;
    return Call.run({ operation: 'read', timeoutMs, signal: undefined, deadlines: this.#deadlines }, until);
  }

  #checked(
    operation: Operation,
    work: unknown,
    scope: Scope,
    rules: Parameters<typeof readOptions>[2],
  ): Parameters<typeof Call.run>[0] & { readonly session: Session | undefined } {
    anyWork(work, 'work');
    const {
      session = currentSession(),
      timeoutMs = this.#settings.timeoutMs,
      signal,
    } = readOptions(operation, scope, rules) as Scope;
    return { operation, timeoutMs, signal, deadlines: this.#deadlines, session };
  }

  #need(consistency: Consistency | undefined, session: Session | undefined): Need | undefined {
    const wanted = consistency ?? (session === undefined ? undefined : 'session');
    if (wanted === undefined) return undefined;
    const isOfSession = wanted === 'session' || wanted === 'monotonic';
    if (isOfSession && session === undefined) {
      const message = `consistency "${wanted}" needs a session: write \`{ session }\`, or call it within \`withSession\``;
      throw new InvalidOptionError('session', message);
    }
    return { consistency: wanted, position: isOfSession ? session?.position(this.#settings.set) : undefined };
  }
}
