/** The part of `pg`'s Client that is used; `pg` 8.11 and later fits. */
export interface PgClientLike {
  connect(): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  query(text: string, values?: any[]): Promise<{ readonly rows: any[]; readonly command: string }>;
  end(): Promise<void>;
  // One event each: the types of `pg` before 8.16 fit no two at once
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'error', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'notice', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'end', listener: () => any): unknown;
  /** Every client of `pg` has it, though its types do only since 8.11.15. */
  readonly connection?: WireLike | undefined;
}

/** The protocol beneath a client: what tells how far the server has come. */
export interface WireLike {
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: string, listener: (message: any) => void): unknown;
  readonly stream: { destroy(error?: Error): unknown; ref?(): unknown; unref?(): unknown };
}

/** A warning or an error of the server, with the fields of its protocol. */
export interface ServerMessage {
  readonly code?: string;
  readonly severity?: string;
  readonly routine?: string;
  readonly file?: string;
}
