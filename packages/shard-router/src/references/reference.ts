import type { TableSpec } from '../tables/table.ts';

/** A table whose rows are all on every shard: small, seldom written, and joined with what lies there. */
export type ReferenceSpec = Omit<TableSpec, 'key'>;

/** The reference tables by name; on PostgreSQL a name may be `schema.table`. */
export type References = Readonly<Record<string, ReferenceSpec>>;

/** Its spec as that of a table without a shard key. */
export type KeylessSpec<F extends ReferenceSpec> = F & { readonly key: readonly [] };

/** What a write has come to. */
export interface ReferenceWrite {
  /** What the table is now: each write makes another version. */
  readonly version: number;
  /** Rows that were written, or deleted. */
  readonly count: number;
  /** Shards that could not be reached: they have an older version until a router repairs them. */
  readonly missing: readonly { readonly shard: string; readonly error: unknown }[];
}

/** What a repair has done on a shard. */
export interface ReferenceRepair {
  readonly shard: string;
  readonly version: number;
  /** Rows that it lacked, that differed, and that it had too many. */
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}
