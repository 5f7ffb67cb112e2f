import { StaleMoveError } from '../errors/moves.ts';
import type { MoveContext, MoveSpec } from '../moves/move-backend.ts';
import type { Follower } from './follower.ts';
import type { MemoryShard } from './memory-shard.ts';
import type { Moved } from './moved-rows.ts';

/** What two shards in memory know of a move, whoever works on it. */
export class MemoryMove {
  follower: Follower | undefined;
  /** Whether all rows of these slots at the target are of its copy. */
  isClaimed = false;
  /** Whether fences of the target that earlier moves have left were opened. */
  hasOpened = false;
  #token = 0n;
  #isEnding = false;

  /** The move, for a step of this worker. `check` throws when it must change nothing any more. @throws StaleMoveError */
  static take(
    shards: readonly MemoryShard[],
    move: MoveSpec,
    context: MoveContext,
    isEnd: boolean,
  ): { readonly state: MemoryMove; readonly check: () => void } {
    const [known = new MemoryMove()] = shards.flatMap(shard => notesOf(shard).moves.get(move.id) ?? []);
    for (const shard of shards) notesOf(shard).moves.set(move.id, known);
    const check = () => {
      if (known.#token > context.token || (known.#isEnding && !isEnd)) throw new StaleMoveError(move.id);
    };
    check();
    known.#token = context.token;
    known.#isEnding ||= isEnd;
    return { state: known, check };
  }
}

interface Notes {
  readonly moves: Map<string, MemoryMove>;
  /** Rows that moves have taken away: their fences stay. */
  readonly lost: Map<string, Moved>;
}

const notes = new WeakMap<MemoryShard, Notes>();

function notesOf(shard: MemoryShard): Notes {
  const its = notes.get(shard) ?? { moves: new Map(), lost: new Map() };
  notes.set(shard, its);
  return its;
}

/** The fences that stay closed at a shard, since it has lost these rows, by the ids of the moves. */
export function lostBy(shard: MemoryShard): Map<string, Moved> {
  return notesOf(shard).lost;
}
