/** The type of a column: what its values are in JavaScript, and how they compare. */
export type ColumnType =
  | 'int8'
  | 'int4'
  | 'text'
  | 'uuid'
  | 'numeric'
  | 'float8'
  | 'bool'
  | 'timestamptz'
  | 'date'
  | 'jsonb'
  | 'bytea';

/** By which columns rows are found without their shard key. */
export interface IndexSpec {
  readonly columns: readonly string[];
  /** Whether no two rows may have the same values. A row with a null among them is not meant. Default: false. */
  readonly unique?: boolean;
}

/** A table whose rows lie on the shards. All tables of one router are colocated: rows of one key are on one shard. */
export interface TableSpec {
  /** The columns that hold the shard key, in the order of the router's `key`. */
  readonly key: readonly string[];
  /** The columns of the primary key, which includes those of `key`. */
  readonly primaryKey: readonly string[];
  /** All columns that programs use, by name. */
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Indexes over all shards, by name, for `findBy`. */
  readonly indexes?: Readonly<Record<string, IndexSpec>>;
}

/** The tables by name; on PostgreSQL a name may be `schema.table`. */
export type Tables = Readonly<Record<string, TableSpec>>;
