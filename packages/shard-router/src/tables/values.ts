import type { ColumnType, IndexSpec, TableSpec } from './table.ts';

/** What a column's values are when they are read. */
export interface Values {
  int8: bigint;
  int4: number;
  text: string;
  /** In lower case. */
  uuid: string;
  /** As PostgreSQL writes it, with all its digits. */
  numeric: string;
  float8: number;
  bool: boolean;
  /** As `2026-11-29T10:30:00.123456Z`, in UTC with all six digits; `infinity` and `-infinity` too. */
  timestamptz: string;
  /** As `2026-11-29`. */
  date: string;
  // biome-ignore lint/suspicious/noExplicitAny: JSON may be anything
  jsonb: any;
  bytea: Uint8Array;
}

/** What a column takes: what it is read as, and what can be turned into that without a loss. */
export interface Inputs extends Omit<Values, 'int8' | 'int4' | 'numeric' | 'timestamptz'> {
  int8: bigint | number;
  int4: number | bigint;
  numeric: string | number | bigint;
  timestamptz: string | Date;
}

type Named<S extends TableSpec> = keyof S['columns'] & string;
type Primary<S extends TableSpec> = S['primaryKey'][number] & Named<S>;
type InputOf<S extends TableSpec, N extends Named<S>> = Inputs[S['columns'][N] & ColumnType];

/** A row as it is read. */
export type RowOf<S extends TableSpec, N extends Named<S> = Named<S>> = {
  readonly [Column in N]: Column extends Primary<S>
    ? Values[S['columns'][Column] & ColumnType]
    : Values[S['columns'][Column] & ColumnType] | null;
};

/** The columns of the primary key, with values. */
export type PrimaryKeyOf<S extends TableSpec> = { readonly [Column in Primary<S>]: InputOf<S, Column> };

/** The columns of the shard key, with values. */
export type KeyOf<S extends TableSpec> = {
  readonly [Column in S['key'][number] & Named<S>]: InputOf<S, Column>;
};

/** A row to insert: a column that is left out is what the database makes of it, NULL in memory. */
export type NewRow<S extends TableSpec> = PrimaryKeyOf<S> & {
  readonly [Column in Exclude<Named<S>, Primary<S>>]?: InputOf<S, Column> | null;
};

/** A row with all columns. */
export type WholeRow<S extends TableSpec> = PrimaryKeyOf<S> & {
  readonly [Column in Exclude<Named<S>, Primary<S>>]: InputOf<S, Column> | null;
};

/** The values that an index finds rows by. */
export type IndexValues<S extends TableSpec, I> =
  S['indexes'] extends Readonly<Record<string, IndexSpec>>
    ? {
        readonly [Column in S['indexes'][I & keyof S['indexes']]['columns'][number] & Named<S>]: InputOf<
          S,
          Column
        >;
      }
    : never;

/** Columns that an update sets. */
export type Changed<S extends TableSpec> = {
  readonly [Column in Exclude<Named<S>, S['key'][number]>]?: InputOf<S, Column> | null;
};

/** Columns that equal these values; null is `is null`. */
export type Equalities<S extends TableSpec> = { readonly [Column in Named<S>]?: InputOf<S, Column> | null };

export type { InputOf, Named };
