/** Of `pg`'s Pool what is used here; `pg` 8.11 and later fits, and so does what wraps it. */
export interface PoolLike {
  connect(): Promise<PoolClientLike>;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  removeListener?(event: 'error', listener: (error: Error) => void): unknown;
  readonly options?: {
    readonly max?: number | undefined;
    readonly connectionTimeoutMillis?: number | undefined;
  };
}

/** A connection that is the borrower's until it is given back: to be used on, or with `true` to be ended. */
export interface PoolClientLike extends QueryableLike {
  release(destroy?: boolean): void;
  on(event: 'error' | 'notification' | 'end', listener: (about?: unknown) => void): unknown;
  removeListener(event: 'error' | 'notification' | 'end', listener: (about?: unknown) => void): unknown;
}

/** What takes a statement: a pool, or a connection in a transaction. */
export interface QueryableLike {
  query(statement: StatementLike): Promise<ResultLike>;
}

export interface StatementLike {
  /** Prepared under this name, once a connection. */
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

export interface ResultLike {
  // biome-ignore lint/suspicious/noExplicitAny: as `pg` says it, or its types would not fit
  readonly rows: any[];
}
