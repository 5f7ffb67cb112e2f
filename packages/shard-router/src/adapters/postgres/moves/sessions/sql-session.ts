/** A session that works on a move in the database of a shard. One statement or transaction at a time. */
export interface SqlSession {
  readonly shard: string;
  /** Runs one statement, or several without values; within the work of a transaction, in that. */
  // biome-ignore lint/suspicious/noExplicitAny: rows of any statement
  run<R = any>(text: string, values: unknown[], signal: AbortSignal): Promise<R[]>;
  /** Runs the work in a transaction. */
  transaction<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}
