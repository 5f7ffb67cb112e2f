import { boolean, type RulesFor, readOptions } from '@ashlar/core';
import { anyWork, type TransactionScope, transactionScopeRules } from '@ashlar/replica-failover/executor';
import type { ShardKey } from '../../keys/key-column.ts';
import type { Routes } from '../../map/routes.ts';
import type { Guarded } from '../../running/guarded.ts';
import type { DeclaredTables } from '../../tables/declared-tables.ts';
import type { Tables } from '../../tables/table.ts';
import { refuseTwoPhase, type TwoPhase } from '../../two-phase/two-phase.ts';
import { oneShard } from '../shards.ts';
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
  /** The map as it is now. */
  routes(): Routes;
}

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
    const { twoPhase, ...rest } = readOptions('transaction', scope, rules);
    const { guarded, isTwoPhase } = this.#parts;
    const route = () => this.#parts.routes().ofAll(keys);
    if (twoPhase === true && new Set(route().map(({ shard }) => shard)).size > 1) {
      if (!isTwoPhase) refuseTwoPhase();
      return this.#parts.twoPhase.run(route, clients => this.#over(clients, work), rest);
    }
    const shard = () => {
      const routes = this.#parts.routes();
      const key = oneShard(routes, keys, 'a transaction', 'run one for the keys of each shard');
      return routes.of(key).shard;
    };
    shard();
    return guarded
      .on(keys, route)
      .transaction(client => this.#over(new Map([[shard(), client]]), work), rest);
  }

  #over<R>(
    clients: ReadonlyMap<string, C>,
    work: (transaction: ShardedTransaction<C, T>) => Promise<R>,
  ): Promise<R> {
    const { routes, guarded, tables } = this.#parts;
    return inTransaction(work, clients, routes(), guarded, tables);
  }
}
