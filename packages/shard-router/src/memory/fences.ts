import type { Clock } from '@ashlar/core';
import { FenceBusyError } from '../errors/moves.ts';
import { isIn, slicesOf, slotsOf } from '../keys/slices.ts';
import { Slots } from '../keys/slots.ts';
import type { MoveContext, MoveSpec, Slice } from '../moves/move-backend.ts';
import { lostBy } from './memory-move.ts';
import type { MemoryShard } from './memory-shard.ts';
import type { Moved } from './moved-rows.ts';

/** Closes the fence of a move at a shard. @throws FenceBusyError when transactions take longer */
export async function closeWithin(
  shard: MemoryShard,
  move: MoveSpec,
  { signal, closing }: Pick<MoveContext, 'signal' | 'closing'>,
  withinMs: number,
  clock: Clock,
  check?: () => void,
): Promise<void> {
  const over = new AbortController();
  const late = new FenceBusyError(move.from);
  const timer = new AbortController();
  clock.sleep(withinMs, timer.signal).then(
    () => over.abort(late),
    () => {},
  );
  const stop = () => over.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    closing?.();
    await shard.fence(move.id, move, over.signal, check);
  } finally {
    signal.removeEventListener('abort', stop);
    timer.abort();
  }
}

/** Opens what the fences that were left at a shard refuse of these slots, but for one of them. Returns whether there were such fences. */
export async function openLost(
  shard: MemoryShard,
  move: Moved,
  signal: AbortSignal,
  { except, check }: { readonly except?: string; readonly check?: () => void } = {},
): Promise<boolean> {
  let isAny = false;
  for (const [id, lost] of lostBy(shard)) {
    if (id === except) continue;
    isAny = true;
    const slices = without(lost, move);
    const its = { ...move, tables: lost.tables, slices };
    if (slices.length === 0) {
      shard.unfence(id);
      lostBy(shard).delete(id);
    } else {
      await shard.fence(id, its, signal, check);
      lostBy(shard).set(id, its);
    }
  }
  return isAny;
}

/** The lost slots, of which some may have been cut or joined since, without those of the move. */
function without(lost: Moved, move: Moved): Slice[] {
  const live = new Slots(move.key, move.slots, move).live(slotsOf(lost.slices));
  return slicesOf(live.filter(slot => !isIn(move.slices, slot)));
}
