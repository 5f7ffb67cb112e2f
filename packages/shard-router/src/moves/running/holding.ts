import { onAbort } from '@ashlar/core';
import { Lease } from '@ashlar/store';
import { StaleMoveError } from '../../errors/moves.ts';
import type { MoverSettings } from '../mover-options.ts';
import { type Held, HeldMove } from './held-move.ts';

/** A move in the hands of this process. */
export interface Holding {
  readonly held: HeldMove;
  /** As it was when it was taken; undefined when there is no such move. */
  readonly taken: Held | undefined;
  /** Aborts when the lease ends, the caller wants it, or the work aborts it. */
  readonly stop: AbortController;
  /** Aborts when the lease ends. */
  readonly leased: AbortSignal;
}

/** Waits until nobody works on the move, and works on it then under its lease. @throws StaleMoveError */
export async function holding<T>(
  { store, maps, leaseMs, clock, random, name }: MoverSettings,
  id: string,
  signal: AbortSignal,
  work: (holding: Holding) => Promise<T>,
): Promise<T> {
  const lease = await Lease.acquire(store, `shards:${encodeURIComponent(name)}:move:${id}`, {
    ttlMs: leaseMs,
    signal,
    clock,
    random,
  });
  const stop = new AbortController();
  const unlink = [signal, lease.signal].map(each => onAbort(each, reason => stop.abort(reason)));
  const held = new HeldMove({ maps, id, lease, clock, random });
  try {
    const taken = await held.take(stop.signal);
    return await work({ held, taken, stop, leased: lease.signal });
  } finally {
    for (const each of unlink) each();
    stop.abort(new StaleMoveError(id));
    await lease[Symbol.asyncDispose]();
  }
}
