/** The part of `pg`'s Client that is used; `pg` 8.11 and later fits. */
export interface PgClientLike {
  connect(): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  query(text: string, values?: any[]): Promise<{ readonly rows: any[]; readonly rowCount: number | null }>;
  end(): Promise<void>;
  // One event each: the types of `pg` before 8.16 fit no two at once
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'error', listener: (about?: any) => void): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as in `pg`, or its types would not fit
  on(event: 'end', listener: (about?: any) => void): unknown;
}
