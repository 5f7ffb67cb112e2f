import { AshlarError, abortable, type Clock } from '@ashlar/core';

/** Sends request `index`; `dueMs` is when it should start, on the pace's clock. Must not reject. */
type Send = (index: number, dueMs: number) => Promise<void>;

export interface PaceOptions {
  readonly requests: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly send: Send;
}

/** More requests were open at once than this machine can be meant to hold. */
export class OverloadError extends AshlarError {
  static override readonly code: string = 'STOREFRONT_OVERLOAD';
}

/**
 * An open loop: request `i` starts `i / rate` seconds after the first, whether or not earlier ones have ended, as the
 * visitors of a shop do. A request that starts late, because this process was busy, is given the time when it was due:
 * counting its latency from there leaves no waiting out (no coordinated omission). A timer wakes once a millisecond at
 * best, which is part of the latency too.
 *
 * Resolves when the last has ended. @throws OverloadError when more than `maxOpen` are open; the signal's reason.
 */
export async function openLoop(options: PaceOptions & { rate: number; maxOpen: number }): Promise<void> {
  const { requests, rate, maxOpen, clock, signal, send } = options;
  const open = new Set<Promise<void>>();
  const startMs = clock.now();
  const dueMs = (index: number) => startMs + (index * 1000) / rate;
  let next = 0;
  while (next < requests) {
    // Also when late it sleeps between two looks at the clock, so that answers are taken in.
    for (const nowMs = clock.now(); next < requests && dueMs(next) <= nowMs; next++) {
      if (open.size >= maxOpen) throw new OverloadError(overload(maxOpen, rate));
      const sent: Promise<void> = send(next, dueMs(next)).finally(() => open.delete(sent));
      open.add(sent);
    }
    if (next < requests) await clock.sleep(Math.max(0, dueMs(next) - clock.now()), signal);
  }
  await abortable(Promise.all(open), signal);
}

function overload(maxOpen: number, rate: number): string {
  return `${maxOpen} requests are open at once: this machine cannot keep up with ${rate} a second, try a lower --rate`;
}

/** A closed loop: `concurrency` requests at a time, the next when one has ended; with 1, strictly one after another. */
export async function closedLoop(options: PaceOptions & { concurrency: number }): Promise<void> {
  const { requests, concurrency, clock, signal, send } = options;
  let next = 0;
  const work = async () => {
    while (next < requests) {
      signal.throwIfAborted();
      await send(next++, clock.now());
    }
  };
  await abortable(Promise.all(Array.from({ length: Math.min(concurrency, requests) }, work)), signal);
}
