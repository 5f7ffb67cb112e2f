import type { Executor, Scope } from '@ashlar/replica-failover/executor';
import { execute } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import { DuplicateRowError, IndexBusyError } from '../errors/statements.ts';
import type { Shards } from '../queries/shards.ts';
import type { Delete, Insert, Statement, Update } from '../tables/statement.ts';
import { Claiming } from './claiming.ts';
import { selectOf } from './entry.ts';
import { equalTo, type Index, type Indexes } from './index.ts';
import { Changed, type Gone, type Kept, Notes } from './notes.ts';

/** How often a write begins anew since another has changed its row. */
const mostAttempts = 5;

/** Thrown in the transaction of a row that does not pass the conditions. */
class NotPassed extends Error {}

/** A row that is written, and its claims. */
interface Written {
  readonly row: Row;
  readonly claims: readonly Kept[];
}

/** Writes of a table with indexes: claims first, then the row with the notes of its claims, then what it does not have any more is released. */
export class IndexedWrites<C> {
  readonly claiming: Claiming<C>;
  readonly #shards: Shards<C>;
  readonly #indexes: Indexes;
  readonly #kept: Notes;

  constructor(shards: Shards<C>, indexes: Indexes) {
    this.#kept = new Notes(indexes);
    this.claiming = new Claiming(shards, indexes);
    this.#shards = shards;
    this.#indexes = indexes;
  }

  /** Inserts rows that are on one shard. All columns of indexes are given. */
  insert(statement: Insert, scope?: Scope): Promise<number> {
    return this.#attempts(async () => {
      const { table, rows } = statement;
      this.#checkUnique(rows);
      const written: Written[] = [];
      const write = async (client: C, released: Gone[]) => {
        // First the rows, which are locked from then on: nobody else writes their notes
        const { count } = await execute(client, statement);
        for (const each of written) released.push(...(await this.#notes(client, each)));
        return count;
      };
      return this.#write(
        rows.map(row => table.keyOf(row)),
        written,
        rows,
        write,
        scope,
      );
    });
  }

  /** Updates the one row with this primary key, if it passes the conditions. */
  update(statement: Update, primaryKey: Row, scope?: Scope): Promise<number> {
    return this.#attempts(async () => {
      const { table } = statement;
      const key = table.keyOf(primaryKey);
      const find = selectOf(table, equalTo(primaryKey), false);
      const reading = this.#shards.on([key]).read(client => execute(client, find), { consistency: 'strong' });
      const [before] = (await reading).rows;
      if (before === undefined) return 0;
      const row = { ...before, ...statement.set };
      const written: Written[] = [];
      const write = async (client: C, released: Gone[]) => {
        const [now] = (await execute(client, selectOf(table, equalTo(primaryKey), true))).rows;
        if (now === undefined || this.#differ(now, before)) throw new Changed();
        const { count } = await execute(client, statement);
        // No row passed the conditions: its claims stay as they are
        if (count === 0) throw new NotPassed();
        released.push(...(await this.#notes(client, written[0]!)));
        return count;
      };
      return this.#write([key], written, [row], write, scope).catch(error => {
        if (error instanceof NotPassed) return 0;
        throw error;
      });
    });
  }

  /** Deletes rows of one shard. */
  async delete(shard: Executor<C>, statement: Delete, scope?: Scope): Promise<number> {
    const { table, where, owned } = statement;
    const released: Gone[] = [];
    const count = await shard.transaction(async client => {
      released.length = 0;
      const { rows } = await execute(client, { ...selectOf(table, where, true), owned });
      for (const row of rows) {
        released.push(...(await this.#notes(client, { row, claims: [] })));
        const primaryKey = Object.fromEntries(table.spec.primaryKey.map(column => [column, row[column]]));
        await execute(client, { kind: 'delete', table, where: equalTo(primaryKey) });
      }
      return rows.length;
    }, scope);
    await this.claiming.releaseAll(released);
    return count;
  }

  /** Makes the claims of a row what its columns say, where something was changed past them. Returns whether it had to. */
  async reconcile(primaryKey: Row): Promise<boolean> {
    return this.#attempts(async () => {
      const { table } = this.#indexes;
      const key = table.keyOf(primaryKey);
      const find = selectOf(table, equalTo(primaryKey), true);
      const reading = this.#shards.on([key]).read(client => execute(client, { ...find, forUpdate: false }));
      const [before] = (await reading).rows;
      if (before === undefined) return false;
      const written: Written[] = [];
      let isChanged = false;
      const write = async (client: C, released: Gone[]) => {
        const [now] = (await execute(client, find)).rows;
        if (now === undefined || this.#differ(now, before)) throw new Changed();
        released.push(...(await this.#notes(client, written[0]!)));
        isChanged = released.length > 0 || written[0]!.claims.some(each => !each.isKept);
        return 0;
      };
      await this.#write([key], written, [before], write);
      return isChanged;
    });
  }

  /** Claims, runs the transaction of the rows, confirms and releases. */
  async #write(
    keys: Parameters<Shards<C>['on']>[0],
    written: Written[],
    rows: readonly Row[],
    write: (client: C, released: Gone[]) => Promise<number>,
    scope?: Scope,
  ): Promise<number> {
    const claims: Kept[] = [];
    const released: Gone[] = [];
    let count: number;
    try {
      for (const row of rows) {
        const own = await this.#claim(row, claims);
        written.push({ row, claims: own });
      }
      count = await this.#shards.on(keys).transaction(async client => {
        released.length = 0;
        return write(client, released);
      }, scope);
    } catch (error) {
      await this.#undo(written, claims, isNotExecuted(error));
      throw error;
    }
    const confirming = claims.filter(each => !each.isKept).map(each => this.claiming.confirm(each));
    // What cannot be done now is done by a sweep
    await Promise.allSettled([...confirming, this.claiming.releaseAll(released)]);
    return count;
  }

  async #claim(row: Row, all: Kept[]): Promise<Kept[]> {
    const own: Kept[] = [];
    for (const index of this.#indexes.all) {
      const value = index.valueOf(row);
      if (value === undefined) continue;
      const claim = await this.claiming.claim(index, value, row);
      own.push(claim);
      all.push(claim);
    }
    return own;
  }

  /** Writes the notes of a row's claims, and takes away those that it had. Returns these. */
  async #notes(client: C, { row, claims }: Written): Promise<readonly Gone[]> {
    const send = (statement: Statement) => execute(client, statement);
    return this.#kept.write(send, row, claims, await this.#kept.of(send, row));
  }

  /** Where nobody knows whether the rows are written, a claim without its row is void from then on. */
  async #undo(written: readonly Written[], claims: readonly Kept[], isCertain: boolean): Promise<void> {
    const { table } = this.#indexes;
    const rowOf = (claim: Kept) => written.find(each => each.claims.includes(claim))?.row;
    const undoing = claims
      .filter(each => !each.isKept)
      .map(async claim => {
        const row = rowOf(claim);
        // Of a row whose next index could not be claimed: its transaction never began
        if (row === undefined || isCertain) return this.claiming.release(claim);
        const entries = await this.claiming.entries(claim.index, claim.value);
        const entry = entries.find(each => each.claim === claim.claim && each.id === table.identity(row));
        if (entry !== undefined) await this.claiming.settle(claim.index, entry);
      });
    await Promise.allSettled(undoing);
  }

  /** Takes the notes away of a row that was deleted past them, and releases its claims. Returns how many. */
  async forget(primaryKey: Row): Promise<number> {
    const { table } = this.#indexes;
    const released: Gone[] = [];
    await this.#shards.on([table.keyOf(primaryKey)]).transaction(async client => {
      released.length = 0;
      // First the notes: those of a row that is inserted meanwhile are not among them
      const send = (statement: Statement) => execute(client, statement);
      const notes = await this.#kept.of(send, primaryKey);
      const { count } = await send(selectOf(table, equalTo(primaryKey)));
      if (count === 0) released.push(...(await this.#kept.remove(send, primaryKey, notes)));
    });
    await this.claiming.releaseAll(released);
    return released.length;
  }

  /** Or the second of two rows would wait for the first. @throws DuplicateRowError */
  #checkUnique(rows: readonly Row[]): void {
    for (const index of this.#indexes.all) {
      const values = rows.map(row => index.valueOf(row)).filter(value => value !== undefined);
      if (index.isUnique && new Set(values).size < values.length)
        throw new DuplicateRowError(
          this.#indexes.table.name,
          `two rows of the call have the same value in the index ${index.name}`,
        );
    }
  }

  #differ(a: Row, b: Row): boolean {
    return this.#indexes.all.some((index: Index) => index.valueOf(a) !== index.valueOf(b));
  }

  async #attempts<T>(attempt: () => Promise<T>): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Changed)) throw error;
        if (n >= mostAttempts) throw new IndexBusyError(this.#indexes.table.name, this.#indexes.all[0]!.name);
      }
    }
  }
}

function isNotExecuted(error: unknown): boolean {
  if (error instanceof Changed || error instanceof NotPassed) return true;
  return (error as { readonly outcome?: unknown }).outcome === 'NotExecuted';
}
