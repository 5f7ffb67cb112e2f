/** Something that stands in the way of a move, and what to do about it. */
export interface Obstacle {
  /** A word for programs, as `wal_level`, `no_primary_key`, `foreign_key`, `prepared_transaction`. */
  readonly kind: string;
  /** Where: a shard, and a table if it is of one. */
  readonly shard: string;
  readonly table?: string;
  /** What is wrong and what to do, for people. */
  readonly words: string;
}

/** What is said of rows that are at a target already. */
export const rowsAtTarget =
  'it has rows of these slots already, which the map does not give it: look at them, and delete them (what `forget` has left, with `purge`)';
