import { abortable } from '@ashlar/core';
import type { AcquireOptions } from '../request.ts';
import { Call } from '../requests/call.ts';
import type { Timers } from './timers.ts';

/**
 * Settles as the work does, or rejects when its time is over or the signal aborts; then the work's own signal aborts,
 * and what it still does is left to itself.
 */
export async function aside<T>(
  timers: Timers,
  options: AcquireOptions,
  what: string,
  work: (signal: AbortSignal) => Promise<T> | T,
): Promise<T> {
  const call = new Call(timers, options, what);
  const controller = new AbortController();
  const { signal } = controller;
  call.onStop = reason => controller.abort(reason);
  try {
    return await abortable((async () => work(signal))(), signal);
  } finally {
    call.end();
    controller.abort(over);
  }
}

/** A reason that nobody sees. */
const over = 'over';
