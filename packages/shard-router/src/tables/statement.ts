import type { Row, Value } from '../columns/column.ts';
import type { Slots } from '../keys/slots.ts';
import type { Slice } from '../moves/move-backend.ts';
import type { Part } from './aggregate-functions.ts';
import type { Table } from './table-of.ts';

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';

/** Whether a comparison holds, of two values in this order. */
export function holds(order: number, op: Comparison): boolean {
  switch (op) {
    case '=':
      return order === 0;
    case '<>':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** A condition on one column; a row passes all those of a statement. As in SQL, a null passes only `is null`. */
export type Condition =
  | { readonly column: string; readonly op: Comparison; readonly value: Value }
  | { readonly column: string; readonly op: 'in'; readonly value: readonly Value[] }
  | { readonly column: string; readonly op: 'is null' }
  | { readonly column: string; readonly op: 'is not null' };

/** One column of an order. */
export interface Order {
  readonly column: string;
  readonly descending: boolean;
  readonly nulls: 'first' | 'last';
  /** Of a text: the name that the databases have for a collation. Undefined for `C`, the order of the code points. */
  readonly collation?: string | undefined;
}

/** The first collation of an order that is not `C`. */
export function collationOf(orderBy: readonly Order[]): string | undefined {
  return orderBy.find(({ collation }) => collation !== undefined)?.collation;
}

/** The slots that a map gives to a shard. Rows of others may be there while they move. */
export interface Owned {
  readonly slots: Slots;
  readonly slices: readonly Slice[];
}

export interface Insert {
  readonly kind: 'insert';
  readonly table: Table;
  /** Each with all columns that it sets, in the form of the columns. */
  readonly rows: readonly Row[];
  /** What becomes of a row whose primary key is there. */
  readonly onConflict: 'fail' | 'update' | 'nothing';
}

export interface Update {
  readonly kind: 'update';
  readonly table: Table;
  readonly set: Row;
  readonly where: readonly Condition[];
  readonly owned?: Owned | undefined;
}

export interface Delete {
  readonly kind: 'delete';
  readonly table: Table;
  readonly where: readonly Condition[];
  readonly owned?: Owned | undefined;
}

/** Removes all rows of the shard. */
export interface Truncate {
  readonly kind: 'truncate';
  readonly table: Table;
}

/**
 * Rows of another table that lie on the same shard as those that they are joined to. Each pair of rows is one, which has the columns of the other
 * row as `name.column`.
 */
export interface Join {
  readonly name: string;
  readonly table: Table;
  /** Those that a program wants of it. */
  readonly columns: readonly string[];
  readonly where: readonly Condition[];
  /** Columns of the one table, and those of the other that equal them. */
  readonly on: readonly (readonly [left: string, right: string])[];
  /** Whether a row without another is returned too, with nulls. */
  readonly isOuter: boolean;
}

export interface Select {
  readonly kind: 'select';
  /** With joins, the table of the pairs. */
  readonly table: Table;
  readonly columns: readonly string[];
  readonly where: readonly Condition[];
  readonly orderBy: readonly Order[];
  readonly joins?: readonly Join[] | undefined;
  /** Values of the order's columns: only rows that are behind them in this order. */
  readonly after?: Row | undefined;
  readonly limit: number | undefined;
  readonly owned?: Owned | undefined;
  /** Whether the rows are locked until the end of the transaction. */
  readonly forUpdate?: boolean;
}

/**
 * What a shard contributes to aggregates: a row for each group, in the order of the columns of `groupBy`, with these and the parts as `part 0`,
 * `part 1`. Without `groupBy` one row, if there are any.
 */
export interface Aggregate {
  readonly kind: 'aggregate';
  /** With joins, the table of the pairs. */
  readonly table: Table;
  readonly where: readonly Condition[];
  readonly groupBy: readonly string[];
  readonly parts: readonly Part[];
  readonly joins?: readonly Join[] | undefined;
  readonly owned?: Owned | undefined;
}

/** The name of a part in a row. No column that a table has is called so. */
export function partName(i: number): string {
  return `part ${i}`;
}

/** The order of groups. */
export function groupOrder({ groupBy }: Pick<Aggregate, 'groupBy'>): readonly Order[] {
  return groupBy.map(column => ({ column, descending: false, nulls: 'last' }));
}

/** The order of a primary key. */
export function keyOrder({ spec }: Table): readonly Order[] {
  return spec.primaryKey.map(column => ({ column, descending: false, nulls: 'last' }));
}

/** What reads. */
export type Query = Select | Aggregate;

/** What one shard is asked to do: data, so that each kind of shard runs it in its own way. The values are in the form of their columns. */
export type Statement = Insert | Update | Delete | Truncate | Query;

export function isQuery(statement: Statement): statement is Query {
  return statement.kind === 'select' || statement.kind === 'aggregate';
}

export interface Result {
  readonly rows: readonly Row[];
  /** Rows that were written, or returned. */
  readonly count: number;
}
