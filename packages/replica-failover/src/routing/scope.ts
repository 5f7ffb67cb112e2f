import type { Session } from '../session.ts';

/**
 * What a read must see.
 *
 * - `strong`: every write that was acknowledged before the read began, also by others. The primary reads, and proves
 *   before it answers that it is still the primary.
 * - `session`: every write that was made with the same session.
 * - `monotonic`: as `session`, and nothing older than what a `monotonic` read of the session has seen.
 * - `{ maxStalenessMs }`: every write that was acknowledged longer ago than that.
 * - `eventual`: what any replica has.
 * - `nearest`: what the server with the quickest answers has, the primary included.
 *
 * A level never lapses in silence: when no replica can serve it in time, the primary does, or the read rejects.
 */
export type Consistency =
  | 'strong'
  | 'session'
  | 'monotonic'
  | 'eventual'
  | 'nearest'
  | { readonly maxStalenessMs: number };

/** What a call belongs to. */
export interface Scope {
  /** What the caller has seen; advanced by writes. Default: the one of `withSession` around the call, else none. */
  readonly session?: Session | undefined;
  /** Aborts the call, which rejects with the signal's reason. What was sent by then may still be executed. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole call, waits and retries included. Default: that of the executor. */
  readonly timeoutMs?: number | undefined;
}

export interface ReadScope extends Scope {
  /** Default: `session` where there is a session, else the primary reads. */
  readonly consistency?: Consistency | undefined;
}

export interface TransactionScope extends Scope {
  /** The database's name of the level, as `serializable`. Default: the database's own. */
  readonly isolation?: string | undefined;
}
