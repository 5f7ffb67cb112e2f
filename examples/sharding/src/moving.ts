import type { MoveRequest, Mover, Moving } from '@ashlar/shard-router';

/** How far a move is, for who draws it. */
export interface Stage {
  readonly move: Moving;
  readonly step: string;
  /** Why it is there again, in words. */
  readonly why: string | undefined;
}

export interface Moved {
  readonly move: Moving;
  readonly slots: number;
  /** For how long its rows could not be written, in milliseconds. */
  readonly pauseMs: number;
}

/** Begins the moves that a request needs, and runs them one after the other. Each is told when its slots have changed hands. */
export async function moveSlots(
  mover: Mover,
  request: MoveRequest,
  signal: AbortSignal,
  { onStage, onMoved }: { onStage(stage: Stage): void; onMoved(moved: Moved): void },
): Promise<void> {
  // #region moves
  const moves = await mover.begin(request);
  for (const move of moves) {
    const run = mover.run(move.id, { signal });
    let pauseMs = 0;
    for await (const event of run) {
      onStage({ move, step: event.step, why: event.words });
      pauseMs = event.pauseMs ?? pauseMs;
    }
    await run.done;
    const slots = move.slices.reduce((sum, { from, to }) => sum + to - from, 0);
    onMoved({ move, slots, pauseMs: Math.round(pauseMs) });
  }
  // Until here each of them could be rolled back
  for (const { id } of moves) await mover.finish(id, { signal });
  // #endregion
}
