/** What work on the shard gets. */
export interface PGliteClient {
  // biome-ignore lint/suspicious/noExplicitAny: as in PGlite, or its types would not fit
  query(text: string, values?: any[]): Promise<{ readonly rows: any[]; readonly affectedRows?: number }>;
}

/** The part of PGlite's database that is used. */
export interface PGliteLike extends PGliteClient {
  transaction<T>(work: (transaction: PGliteClient) => Promise<T>): Promise<T | undefined>;
}

/** The part of PGlite's database that migrations use. */
export interface PGliteAdminLike extends PGliteClient {
  // biome-ignore lint/suspicious/noExplicitAny: as in PGlite, or its types would not fit
  exec(text: string): Promise<readonly { readonly rows: any[]; readonly affectedRows?: number }[]>;
}

/** The part of PGlite's database that moves use. */
export interface PGliteMovedLike {
  transaction<T>(work: (transaction: PGliteAdminLike) => Promise<T>): Promise<T | undefined>;
}
