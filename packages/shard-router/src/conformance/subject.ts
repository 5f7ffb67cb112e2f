import type { MoveBackend, MoveSpec } from '../moves/move-backend.ts';

/** Two shards with the same tables, of which the second has nothing yet, and rows that are named by keys. Disposing ends them. */
export interface MoveSubject extends AsyncDisposable {
  /** A move of some of the slots from the first shard to the second. */
  readonly move: MoveSpec;
  /** Keys in the moved slots: several hundred, so that no step is done at once. */
  readonly moved: readonly string[];
  /** Keys in other slots. */
  readonly others: readonly string[];
  /** The backend as another process has it; the subject closes it in the end. */
  backend(): MoveBackend;
  /** Puts a row, or without a value deletes it, as a client of the shard does; rejects where a fence refuses. */
  write(shard: string, key: string, value: string | undefined): Promise<void>;
  /** The rows of a shard, by their keys. */
  rows(shard: string): Promise<Readonly<Record<string, string>>>;
  /** As `write`, past all fences, and so that nobody who follows the shard notices. */
  damage(shard: string, key: string, value: string | undefined): Promise<void>;
}

export type MakeMoveSubject = () => Promise<MoveSubject>;

export type MoveTests = Readonly<Record<string, (subject: MoveSubject) => Promise<void>>>;
