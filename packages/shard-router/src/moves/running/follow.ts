import { Backoff } from '@ashlar/core';
import { StaleMoveError } from '../../errors/moves.ts';
import type { MoveContext, MoveSpec } from '../move-backend.ts';
import type { MoverSettings } from '../mover-options.ts';
import { AbortAsked } from './held-move.ts';
import type { Progress } from './progress.ts';

/** For how long a run tries it, in milliseconds. */
const followMs = 30_000;

/**
 * Has the old source of a committed move follow. Until then the new owner keeps its log, so it is tried again and again, for a while; then
 * whoever runs the move next goes on with that.
 *
 * @param asked aborts with AbortAsked when another step of the move is wanted
 * @throws StaleMoveError, the reason of the signal; nothing else: the move is committed
 */
export async function follow(
  { backend, clock, random }: MoverSettings,
  spec: MoveSpec,
  { token, signal, progress }: MoveContext,
  asked: AbortController,
  told: Progress,
): Promise<void> {
  if (backend.follow === undefined) return;
  const late = new Error(`it is not done after ${followMs} ms`);
  clock.sleep(followMs, asked.signal).then(
    () => asked.abort(late),
    () => {},
  );
  const pauses = new Backoff({ firstMs: 50, maxMs: 5_000 }, random);
  for (;;) {
    try {
      return await backend.follow(spec, { token, progress, signal: asked.signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StaleMoveError) throw error;
      if (asked.signal.reason instanceof AbortAsked) return;
      const words = `the old source does not follow yet: ${(error as Error).message}`;
      told.tell({ words, ...(await retained()) });
      if (asked.signal.aborted) return;
    }
    await clock.sleep(pauses.nextMs(), asked.signal).catch(() => signal.throwIfAborted());
  }

  async function retained(): Promise<{ readonly retainedBytes?: number }> {
    try {
      const found = await backend.following?.(spec, signal);
      return found === undefined ? {} : { retainedBytes: found.retainedBytes };
    } catch {
      return {}; // It does not answer either
    }
  }
}
