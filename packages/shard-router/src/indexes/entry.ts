import type { Row } from '../columns/column.ts';
import type { Select } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';
import type { Claim } from './index.ts';

/** An entry as it is in its table. */
export interface Entry {
  readonly value: string;
  /** Names the row. */
  readonly id: string;
  /** Its primary key. */
  readonly row: string;
  readonly claim: string;
  /** Whether its row is known to be written; if not, it may be about to be. */
  readonly live: boolean;
  /** When it was claimed, by the clock of who did: only how soon it is looked at goes by it. */
  readonly at: bigint;
  /** Until it is live, whose place it takes, as text that `formerOf` reads; empty for none. */
  readonly former: string;
}

/** What a row had, whose place another takes: in a transaction that moves it, or gives its unique value to another. */
export interface Former {
  readonly id: string;
  readonly row: string;
  readonly claim: string;
}

/** A claim that was made, and its entry. */
export interface Claimed extends Claim {
  /** The row has it already. */
  readonly isKept: boolean;
  readonly entry: Entry;
}

/** Whose place an entry takes. */
export function formerOf(text: string): Former | undefined {
  return text === '' ? undefined : (JSON.parse(text) as Former);
}

/** A note of a claim, beside its row. */
export function noteOf(key: Row, id: string, { index, value, claim }: Claim, isVoid: boolean): Row {
  return {
    ...key,
    ashlar_claim: claim,
    ashlar_row: id,
    ashlar_index: index.name,
    ashlar_value: value,
    ashlar_void: isVoid,
    ashlar_gone: false,
  };
}

/** All columns of rows, in any order. */
export function selectOf(table: Table, where: Select['where'], forUpdate = false): Select {
  return { kind: 'select', table, columns: table.columns, where, orderBy: [], limit: undefined, forUpdate };
}
