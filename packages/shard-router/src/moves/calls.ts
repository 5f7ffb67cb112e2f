import type { ShardMap } from '../map/shard-map.ts';
import type { Following } from './move-backend.ts';

/** What becomes of the slots, and what is left of earlier moves. */
export interface MovesStatus {
  readonly map: ShardMap;
  /** What moves have left at the shards, in words. Empty when nothing leaks. A shard that does not answer has words that say so. */
  readonly leaks: Readonly<Record<string, readonly string[]>>;
  /** How the old sources of committed moves follow, by the ids of the moves; of backends that keep something for that, and owners that answer. */
  readonly following: Readonly<Record<string, Following>>;
}

export interface RunOptions {
  /** Ends the work at the next place where nothing is locked; the move stays in the map, for whoever runs it next. */
  readonly signal?: AbortSignal;
}

export interface AbortOptions extends RunOptions {
  /**
   * The target is lost for good: the move is undone without it if it does not answer. What it has of the rows is nobody's; make its tables anew before
   * it gets slots again. Default: false.
   */
  readonly targetLost?: boolean;
}

export interface FinishOptions extends RunOptions {
  /**
   * The old source is lost for good: the move is finished without it if it does not answer. Its fence is what refuses the rows there if it comes back;
   * make its tables anew before it gets slots again. Default: false.
   */
  readonly sourceLost?: boolean;
}
