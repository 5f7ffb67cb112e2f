/** The part of `pg`'s Client that is used; `pg` 8.11 and later fits. */
export interface PgClientLike {
  connect(): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  query(text: string, values?: any[]): Promise<{ readonly rows: any[]; readonly command: string }>;
  end(): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'error' | 'notice', listener: (about: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'end', listener: () => any): unknown;
  readonly connection: WireLike;
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
