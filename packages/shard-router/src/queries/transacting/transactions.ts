import { boolean, type Clock, type RulesFor, readOptions } from '@ashlar/core';
import { anyWork, type TransactionScope, transactionScopeRules } from '@ashlar/replica-failover/executor';
import { TransactionClaims } from '../../indexes/transaction-claims.ts';
import type { ShardKey } from '../../keys/key-column.ts';
import type { Routes } from '../../map/routes.ts';
import type { Guarded } from '../../running/guarded.ts';
import { Limit } from '../../running/limit.ts';
import type { DeclaredTables } from '../../tables/declared-tables.ts';
import type { Tables } from '../../tables/table.ts';
import { refuseTwoPhase, type TwoPhase } from '../../two-phase/two-phase.ts';
import { oneShard, type Shards } from '../shards.ts';
import { inTransaction, type ShardedTransaction } from './sharded-transaction.ts';

export interface ShardedScope extends TransactionScope {
  /** Whether the keys may be on several shards, which then commit in two phases. Default: false. */
  readonly twoPhase?: boolean | undefined;
}

const rules = {
  ...transactionScopeRules,
  twoPhase: boolean(),
} satisfies RulesFor<ShardedScope>;

interface Parts<C> {
  readonly guarded: Guarded<C>;
  readonly tables: DeclaredTables;
  readonly twoPhase: TwoPhase<C>;
  /** Whether the router settles what transactions over several shards leave. */
  readonly isTwoPhase: boolean;
  readonly clock: Clock;
  /** The map as it is now. */
  routes(): Routes;
  /** The shards, outside of any transaction. */
  shards(): Shards<C>;
}

type Work<C, T extends Tables, R> = (transaction: ShardedTransaction<C, T>, shards: Shards<C>) => Promise<R>;

/** Runs the transactions of a router: on the one shard that has the keys, or over several. */
export class Transactions<C, T extends Tables> {
  readonly #parts: Parts<C>;

  constructor(parts: Parts<C>) {
    this.#parts = parts;
  }

  /** @throws InvalidOptionError, CrossShardError, TwoPhaseUnavailableError, InDoubtError, UnsettledError */
  async run<R>(
    keys: readonly ShardKey[],
    work: (transaction: ShardedTransaction<C, T>) => Promise<R>,
    scope: ShardedScope = {},
  ): Promise<R> {
    anyWork(work, 'work');
    return this.#run(keys, transaction => work(transaction), scope);
  }

  /** As `run`, of work that takes the shards themselves, which may be several. */
  together<R>(
    keys: readonly ShardKey[],
    work: (shards: Shards<C>) => Promise<R>,
    scope?: TransactionScope,
  ): Promise<R> {
    return this.#run(keys, (_, shards) => work(shards), { ...scope, twoPhase: true });
  }

  async #run<R>(keys: readonly ShardKey[], work: Work<C, T, R>, scope: ShardedScope): Promise<R> {
    const { twoPhase, ...rest } = readOptions('transaction', scope, rules);
    const { shards, clock } = this.#parts;
    const limit = new Limit(rest, clock);
    const claims = new TransactionClaims(shards(), clock);
    const attempt = () => this.#once(keys, work, claims, twoPhase === true, limit.left());
    return claims.attempts(attempt, rest.signal);
  }

  async #once<R>(
    keys: readonly ShardKey[],
    work: Work<C, T, R>,
    claims: TransactionClaims<C>,
    mayBeOnSeveral: boolean,
    scope: TransactionScope,
  ): Promise<R> {
    const { guarded, isTwoPhase, tables, twoPhase } = this.#parts;
    const over = (clients: ReadonlyMap<string, C>) => {
      const running = { clients, routes: this.#parts.routes(), source: guarded, tables };
      return inTransaction(work, { ...running, claims: claims.begin() });
    };
    const route = () => this.#parts.routes().ofAll(keys);
    if (mayBeOnSeveral && new Set(route().map(({ shard }) => shard)).size > 1) {
      if (!isTwoPhase) refuseTwoPhase();
      return twoPhase.run(route, over, scope);
    }
    const shard = () => {
      const routes = this.#parts.routes();
      const key = oneShard(routes, keys, 'a transaction', 'run one for the keys of each shard');
      return routes.of(key).shard;
    };
    shard();
    return guarded.on(keys, route).transaction(client => over(new Map([[shard(), client]])), scope);
  }
}
