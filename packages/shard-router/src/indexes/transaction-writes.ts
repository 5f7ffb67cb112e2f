import type { Executor } from '@ashlar/replica-failover/executor';
import { execute } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import type { Shards } from '../queries/shards.ts';
import type { Delete, Insert, Statement, Update } from '../tables/statement.ts';
import type { ClaimsRun } from './claims-run.ts';
import { selectOf } from './entry.ts';
import { equalTo, type Indexes } from './index.ts';
import { Notes, type Send } from './notes.ts';

/** Writes of a table with indexes within a transaction of the caller, which has claimed what they need, or will. */
export class TransactionWrites<C> {
  readonly #shards: Shards<C>;
  readonly #indexes: Indexes;
  readonly #run: ClaimsRun;
  readonly #notes: Notes;

  constructor(shards: Shards<C>, indexes: Indexes, run: ClaimsRun) {
    this.#shards = shards;
    this.#indexes = indexes;
    this.#run = run;
    this.#notes = new Notes(indexes);
  }

  /** Inserts rows that are on one shard. All columns of indexes are given. */
  async insert(statement: Insert): Promise<number> {
    const { table, rows } = statement;
    const send = this.#sendTo(this.#shards.on(rows.map(row => table.keyOf(row))));
    for (const row of rows) for (const index of this.#indexes.all) index.valueOf(row);
    return this.#run.alone(async () => {
      const { count } = await send(statement);
      for (const row of rows) await this.#note(send, row);
      return count;
    });
  }

  /** Updates the one row with this primary key, if it passes the conditions. */
  async update(statement: Update, primaryKey: Row): Promise<number> {
    const { table } = statement;
    const send = this.#sendTo(this.#shards.on([table.keyOf(primaryKey)]));
    return this.#run.alone(async () => {
      const [before] = (await send(selectOf(table, equalTo(primaryKey), true))).rows;
      const { count } = await send(statement);
      if (before === undefined || count === 0) return 0;
      await this.#note(send, { ...before, ...statement.set });
      return count;
    });
  }

  /** Deletes rows of one shard. */
  async delete(shard: Executor<C>, { table, where, owned }: Delete): Promise<number> {
    const send = this.#sendTo(shard);
    return this.#run.alone(async () => {
      const { rows } = await send({ ...selectOf(table, where, true), owned });
      for (const row of rows) await this.#remove(send, row);
      return rows.length;
    });
  }

  /** Deletes this row, which is locked, and inserts it with other values in its primary key. */
  async move(row: Row, to: Row): Promise<void> {
    const { table } = this.#indexes;
    const after = { ...row, ...to };
    const source = this.#sendTo(this.#shards.on([table.keyOf(row)]));
    const target = this.#sendTo(this.#shards.on([table.keyOf(after)]));
    await this.#run.alone(async () => {
      await this.#remove(source, row);
      this.#run.move(table.identity(row), table.identity(after));
      await target({ kind: 'insert', table, rows: [after], onConflict: 'fail' });
      await this.#note(target, after);
    });
  }

  /** Makes the notes of a row what its columns say. */
  async #note(send: Send, row: Row): Promise<void> {
    const there = await this.#notes.of(send, row);
    const claims = this.#indexes.all.flatMap(index => {
      const value = index.valueOf(row);
      if (value === undefined) return [];
      const kept = there.find(each => each['ashlar_index'] === index.name && each['ashlar_value'] === value);
      return kept === undefined
        ? [this.#run.claimOf(this.#indexes, index, value, row)]
        : [{ index, value, claim: kept['ashlar_claim'] as string, isKept: true }];
    });
    const gone = await this.#notes.write(send, row, claims, there, this.#isOwn);
    this.#run.remove(this.#indexes, row, gone);
  }

  async #remove(send: Send, row: Row): Promise<void> {
    const { table } = this.#indexes;
    const there = await this.#notes.of(send, row);
    this.#run.remove(this.#indexes, row, await this.#notes.remove(send, row, there, this.#isOwn));
    const primaryKey = Object.fromEntries(table.spec.primaryKey.map(column => [column, row[column]]));
    await send({ kind: 'delete', table, where: equalTo(primaryKey) });
  }

  readonly #isOwn = (claim: string) => this.#run.isOwn(claim);

  /** Each statement by itself, so that none is sent when the transaction is over. */
  #sendTo(shard: Executor<C>): Send {
    return (statement: Statement) => shard.write(client => execute(client, statement));
  }
}
