import type { Clock } from '@ashlar/core';
import { FenceBusyError } from '../errors/moves.ts';
import { numberedEntries } from '../keys/layout.ts';
import { isIn, slicesOf, slotsOf } from '../keys/slices.ts';
import { Slots } from '../keys/slots.ts';
import type { MoveContext, MoveSpec } from '../moves/move-backend.ts';
import { type Lost, lostBy } from './memory-move.ts';
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
  move: MoveSpec,
  signal: AbortSignal,
  { except, check }: { readonly except?: string; readonly check?: () => void } = {},
): Promise<boolean> {
  let isAny = false;
  for (const [id, lost] of [...lostBy(shard)]) {
    if (id === except || lost.router !== move.router) continue;
    const { slots, others } = calledNow(lost, move);
    if (!slots.some(slot => isIn(move.slices, slot))) continue;
    isAny = true;
    check?.();
    const left = slots.filter(slot => !isIn(move.slices, slot));
    // Keys without a number stay as they were called then
    if (others.length > 0) await keep(`${id}_keys`, { ...lost, slices: slicesOf(others) });
    if (left.length > 0) await keep(id, { ...move, tables: lost.tables, slices: slicesOf(left) });
    else {
      shard.unfence(id);
      lostBy(shard).delete(id);
    }
  }
  return isAny;

  async function keep(id: string, lost: Lost): Promise<void> {
    await shard.fence(id, lost, signal, check);
    lostBy(shard).set(id, lost);
  }
}

/** Whether a shard has lost all of these slots, and refuses them. */
export function isLost(shard: MemoryShard, move: MoveSpec): boolean {
  const all = [...lostBy(shard).values()].filter(({ router }) => router === move.router);
  const slots = new Set(all.flatMap(lost => calledNow(lost, move).slots));
  return slotsOf(move.slices).every(slot => slots.has(slot));
}

/** What was lost, as the map of now calls it: some slots may have been cut or joined since, and of others another key has got the number. */
function calledNow(
  lost: Moved,
  now: Moved,
): { readonly slots: readonly number[]; readonly others: readonly number[] } {
  const keys = new Map(numberedEntries(lost).map(({ key, slot }) => [slot, JSON.stringify(key)]));
  const numbers = new Map(numberedEntries(now).map(({ key, slot }) => [JSON.stringify(key), slot]));
  const slots = slotsOf(lost.slices);
  const called = (slot: number) => (keys.has(slot) ? numbers.get(keys.get(slot)!) : slot);
  const live = slots.map(called).filter(slot => slot !== undefined);
  return {
    slots: [...new Set(new Slots(now.key, now.slots, now).live(live))],
    others: slots.filter(slot => called(slot) === undefined),
  };
}
