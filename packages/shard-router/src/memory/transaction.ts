import type { Row } from '../columns/column.ts';
import { DuplicateRowError, InvalidValueError, TransactionOverError } from '../errors/statements.ts';
import type { Insert, Query, Result, Select, Statement } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';
import { aggregate } from './aggregate.ts';
import type { Changes, Rows } from './rows.ts';
import { passes, select, sourceOf } from './select.ts';

/** What one transaction has done and sees. Nothing of it is in the shard before its commit, so undoing is forgetting. */
export class MemoryTransaction {
  readonly changes: Changes = new Map();
  readonly #rows: Rows;
  /** Throws where a write is refused. */
  readonly #check: (table: Table, row: Row | undefined) => void;

  #failure: { readonly error: unknown } | undefined;
  #isOver = false;

  constructor(rows: Rows, check: (table: Table, row: Row | undefined) => void) {
    this.#rows = rows;
    this.#check = check;
  }

  /** A statement that throws may have done a part: from then on, each throws its error. */
  execute(statement: Statement): Result {
    if (this.#isOver) throw new TransactionOverError();
    this.assertWhole();
    try {
      return this.#execute(statement);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  /** Throws the error of the statement that failed, if one has. */
  assertWhole(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  end(): void {
    this.#isOver = true;
  }

  #execute(statement: Statement): Result {
    const { table } = statement;
    switch (statement.kind) {
      case 'select':
        return read(select(statement, this.#source(statement)));
      case 'aggregate':
        return read(aggregate(statement, this.#source(statement)));
      case 'insert':
        return written(statement.rows.filter(row => this.#insert(statement, row)).length);
      case 'truncate':
        this.#check(table, undefined);
        break;
    }
    const filter = statement.kind === 'truncate' ? { table, where: [] } : statement;
    const found = this.#found(filter).filter(([, row]) => passes(filter, row));
    for (const [id, row] of found) this.#put(table, id, row, undefined);
    if (statement.kind === 'update') {
      for (const [, row] of found) this.#add(table, { ...row, ...statement.set });
    }
    return written(found.length);
  }

  #source(query: Query): readonly Row[] {
    const all = (table: Table) => Array.from(this.#rows.all(table.name, this.changes), ([, row]) => row);
    return sourceOf(
      query,
      this.#found(query).map(([, row]) => row),
      all,
    );
  }

  /** The rows that may pass: one, where the conditions say the whole primary key. */
  #found({ table, where }: Pick<Select, 'table' | 'where'>): readonly (readonly [string, Row])[] {
    const equal = new Map(where.flatMap(each => (each.op === '=' ? [[each.column, each.value]] : [])));
    if (!table.spec.primaryKey.every(column => (equal.get(column) ?? null) !== null)) {
      return Array.from(this.#rows.all(table.name, this.changes));
    }
    const id = table.identity(Object.fromEntries(equal));
    const row = this.#get(table, id);
    return row === undefined ? [] : [[id, row]];
  }

  #insert({ table, onConflict }: Insert, values: Row): boolean {
    const missing = table.spec.primaryKey.find(column => (values[column] ?? null) === null);
    if (missing !== undefined) {
      throw new InvalidValueError(table.name, `has ${missing} in its primary key, which cannot be null`);
    }
    const id = table.identity(values);
    const there = this.#get(table, id);
    if (there === undefined) this.#add(table, values);
    else if (onConflict === 'fail') throw duplicate(table, values);
    else if (onConflict === 'update') this.#put(table, id, there, { ...there, ...values });
    return there === undefined || onConflict === 'update';
  }

  #add(table: Table, values: Row): void {
    const row: Record<string, unknown> = {};
    for (const column of table.columns) row[column] = values[column] ?? null;
    const id = table.identity(row);
    if (this.#get(table, id) !== undefined) throw duplicate(table, row);
    this.#put(table, id, undefined, row);
  }

  #get(table: Table, id: string): Row | undefined {
    const changed = this.changes.get(table.name)?.rows;
    return changed?.has(id) ? changed.get(id) : this.#rows.get(table.name, id);
  }

  #put(table: Table, id: string, before: Row | undefined, after: Row | undefined): void {
    if (before !== undefined) this.#check(table, before);
    if (after !== undefined) this.#check(table, after);
    let changed = this.changes.get(table.name);
    if (changed === undefined) {
      changed = { table, rows: new Map() };
      this.changes.set(table.name, changed);
    }
    changed.rows.set(id, after && Object.freeze(after));
  }
}

function duplicate(table: Table, row: Row): DuplicateRowError {
  const { primaryKey } = table.spec;
  const values = primaryKey.map(column => table.type(column).toText(row[column]));
  // As PostgreSQL has it
  return new DuplicateRowError(
    table.name,
    `Key (${primaryKey.join(', ')})=(${values.join(', ')}) already exists.`,
  );
}

function read(rows: readonly Row[]): Result {
  return { rows, count: rows.length };
}

function written(count: number): Result {
  return { rows: [], count };
}
