import { StaleMoveError } from '../errors/moves.ts';
import type { MoveContext, MoveSpec } from '../moves/move-backend.ts';
import type { Follower } from './follower.ts';
import type { MemoryShard } from './memory-shard.ts';
import type { Moved } from './moved-rows.ts';

/** Rows of one map that a shard has lost: another map has other slots of the same numbers. */
export type Lost = Moved & Pick<MoveSpec, 'router'>;

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
  readonly lost: Map<string, Lost>;
  /** The highest token of who closed or opened entries of a directory here, by the map. */
  readonly entries: Map<string, bigint>;
}

const notes = new WeakMap<MemoryShard, Notes>();

function notesOf(shard: MemoryShard): Notes {
  const its = notes.get(shard) ?? { moves: new Map(), lost: new Map(), entries: new Map() };
  notes.set(shard, its);
  return its;
}

/** The fences that stay closed at a shard, since it has lost these rows, by the ids of the moves. */
export function lostBy(shard: MemoryShard): Map<string, Lost> {
  return notesOf(shard).lost;
}

/** Ends what an earlier holder of the entries has still on its way here. Returns what throws when a later one has come. @throws StaleMoveError */
export function supersede(
  shard: MemoryShard,
  { router }: MoveSpec,
  { token }: Pick<MoveContext, 'token'>,
): () => void {
  const { entries } = notesOf(shard);
  const check = () => {
    if ((entries.get(router) ?? 0n) > token) throw new StaleMoveError('of entries');
  };
  check();
  entries.set(router, token);
  return check;
}
