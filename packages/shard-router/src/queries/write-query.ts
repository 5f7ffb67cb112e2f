import type { Executor, Scope } from '@ashlar/replica-failover/executor';
import { execute } from '../clients/client.ts';
import { CrossShardError, WrongShardError } from '../errors/routing.ts';
import { InvalidQueryError, PartialWriteError } from '../errors/statements.ts';
import type { Indexes } from '../indexes/index.ts';
import { IndexedWrites } from '../indexes/indexed-writes.ts';
import { TransactionWrites } from '../indexes/transaction-writes.ts';
import { checkScope } from '../running/scopes.ts';
import type { Condition, Delete, Update } from '../tables/statement.ts';
import type { TableSpec } from '../tables/table.ts';
import { Filtered } from './filtered.ts';
import { keysIn, oneShard, ownedBy, type Shards, shardsOf } from './shards.ts';

/** An update or a delete. Each call returns another; nothing is sent before `run`. */
export class WriteQuery<C, S extends TableSpec> extends Filtered<S, WriteQuery<C, S>> {
  readonly #shards: Shards<C>;
  readonly #statement: Update | Delete;
  readonly #isEverywhere: boolean;
  readonly #indexes: Indexes | undefined;

  constructor(shards: Shards<C>, statement: Update | Delete, isEverywhere: boolean, indexes?: Indexes) {
    super();
    this.#indexes = indexes;
    this.#shards = shards;
    this.#statement = statement;
    this.#isEverywhere = isEverywhere;
  }

  /** Also on several shards, one after another, each with a commit of its own. */
  everywhere(): WriteQuery<C, S> {
    return new WriteQuery(this.#shards, this.#statement, true, this.#indexes);
  }

  /**
   * Runs it. Resolves to the number of rows.
   *
   * @throws CrossShardError when the conditions do not say one shard, and it is not for `everywhere`
   * @throws PartialWriteError when some shards have committed and another failed
   */
  async run(scope?: Scope): Promise<number> {
    const statement = this.#statement;
    checkScope('write', scope, statement.kind);
    if (statement.kind === 'update' && this.#isIndexed) return await this.#updateIndexed(statement, scope);
    const what = `${statement.kind === 'update' ? 'an update' : 'a delete'} of ${statement.table.name}`;
    const keys = keysIn(statement.table, statement.where);
    if (keys?.length === 0) return 0;
    if (!this.#isEverywhere) {
      const advice =
        'say `.everywhere()` to run it on all that have such rows, each with a commit of its own';
      if (keys === undefined) throw new CrossShardError(`${what} has no shard key in its conditions`, advice);
      oneShard(this.#shards.routes(), keys, what, advice);
      return this.#on(this.#shards.on(keys), statement, scope);
    }
    return this.#onEach(
      what,
      keys === undefined ? undefined : new Set(keys.map(key => this.#shards.routes().of(key).shard)),
      scope,
    );
  }

  protected override get conditions(): Update | Delete {
    return this.#statement;
  }

  protected override filteredBy(where: readonly Condition[]): WriteQuery<C, S> {
    return new WriteQuery(this.#shards, { ...this.#statement, where }, this.#isEverywhere, this.#indexes);
  }

  /** Whether an index has to be written too. */
  get #isIndexed(): boolean {
    const statement = this.#statement;
    if (this.#indexes === undefined) return false;
    if (statement.kind === 'delete') return true;
    const columns = Object.keys(statement.set);
    return (
      this.#indexes.has(columns) || statement.table.spec.primaryKey.some(column => columns.includes(column))
    );
  }

  async #on(shard: Executor<C>, statement: Update | Delete, scope?: Scope): Promise<number> {
    if (statement.kind === 'delete' && this.#isIndexed)
      return indexedWrites(this.#shards, this.#indexes!).delete(shard, statement, scope);
    return shard.write(async client => (await execute(client, statement)).count, scope);
  }

  #updateIndexed(statement: Update, scope?: Scope): Promise<number> {
    const { table, where, set } = statement;
    const writes = indexedWrites(this.#shards, this.#indexes!);
    const equal = new Map(
      where.flatMap(each => (each.op === '=' ? [[each.column, each.value] as const] : [])),
    );
    const { primaryKey } = table.spec;
    const isOne = primaryKey.every(column => equal.has(column) && set[column] === undefined);
    if (isOne)
      return writes.update(
        statement,
        Object.fromEntries(primaryKey.map(column => [column, equal.get(column)])),
        scope,
      );
    throw new InvalidQueryError(
      `an update of indexed columns of ${table.name} is for one row: say its primary key (${primaryKey.join(', ')}), which does not change`,
    );
  }

  async #onEach(what: string, names: ReadonlySet<string> | undefined, scope?: Scope): Promise<number> {
    const routes = this.#shards.routes();
    const done: string[] = [];
    let count = 0;
    // In a transaction some are not to be reached: before anything is sent
    const shards = [...(names ?? shardsOf(routes))].map(name => [name, this.#shards.shard(name)] as const);
    for (const [name, shard] of shards) {
      const statement = { ...this.#statement, owned: ownedBy(routes, name) };
      try {
        count += await this.#on(shard, statement, scope);
      } catch (error) {
        if (done.length === 0 || this.#shards.isTransaction) throw error;
        throw new PartialWriteError(what, done, name, count, error);
      }
      done.push(name);
    }
    // Where rows have moved away meanwhile, it may have found none
    if (!(await this.#shards.isCurrent(routes))) {
      const last = done.at(-1)!;
      throw new PartialWriteError(what, done, last, count, new WrongShardError(last, { outcome: 'Unknown' }));
    }
    return count;
  }
}

/** Writes of a table with indexes: by themselves, or in the transaction of these shards. */
export function indexedWrites<C>(
  shards: Shards<C>,
  indexes: Indexes,
): IndexedWrites<C> | TransactionWrites<C> {
  return shards.claims === undefined
    ? new IndexedWrites(shards, indexes)
    : new TransactionWrites(shards, indexes, shards.claims);
}
