/** What becomes of a transaction over several shards. */
export type Verdict = 'commit' | 'abort';

/** A part of a transaction that waits for its verdict, under its name in the database. */
export interface Doubt {
  readonly gid: string;
  readonly ageMs: number;
}

/** A transaction that is committed, and whose parts may not all have heard of it. */
export interface Decided {
  readonly id: string;
  readonly participants: readonly string[];
}

/**
 * What one shard does for transactions over several. The first shard of a transaction keeps its verdict: a row that is committed with the
 * transaction's own writes there. Whoever finds none writes the opposite under the same id, so that it can never be committed any more.
 */
export interface Ledger {
  /** Makes what it needs. @throws TwoPhaseUnavailableError */
  ready(shard: string): Promise<void>;
  /** Milliseconds since 1970, by the shard's clock. */
  now(): Promise<number>;

  /** Ends the transaction of this client: it waits for its verdict, also through a crash. Rejects when a statement of it has failed. */
  prepare(gid: string): Promise<void>;
  /** Writes the verdict to commit in the transaction of this client. @throws AbortedElsewhere when there is the other one */
  decide(id: string, router: string, participants: readonly string[]): Promise<void>;

  /** The verdict, which is to abort if there is none yet. Waits for one that is being written. */
  resolve(id: string, router: string): Promise<Verdict>;
  /**
   * Ends what waits under this name, or has been ended so.
   *
   * @throws PartLostError when it is to be committed, and neither waits nor was
   */
  settle(gid: string, verdict: Verdict): Promise<void>;
  /** What waits here, under names that begin so. */
  inDoubt(prefix: string): Promise<readonly Doubt[]>;
  /** Verdicts that are older than this, and whose parts may wait. */
  unsettled(router: string, olderThanMs: number): Promise<readonly Decided[]>;
  /** No part of the transaction waits any more. */
  settled(id: string): Promise<void>;
  /** Deletes verdicts that nobody asks for any more. */
  forget(router: string): Promise<void>;
}

/** How long the verdict of a transaction can be asked for. */
export const keptMs = 86_400_000;

/** Somebody took the transaction for dead and has written its verdict: it is rolled back. */
export class AbortedElsewhere extends Error {}
