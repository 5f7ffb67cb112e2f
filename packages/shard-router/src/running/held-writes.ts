import { type Clock, onAbort } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import { WriteHeldError } from '../errors/routing.ts';
import type { MapCopy } from '../map/map-copy.ts';
import type { Routes } from '../map/routes.ts';

/** The slots of a write, and since when they were where they were. */
export interface Refused {
  readonly shard: string;
  readonly slot: number;
  readonly since: ReadonlyMap<number, unknown>;
}

export interface HeldWritesOptions {
  readonly router: string;
  readonly copy: MapCopy;
  readonly clock: Clock;
  readonly max: number;
  readonly maxMs: number;
}

/** Pauses between two looks at the map, in milliseconds: what a commit or an undone fence is noticed after, at the latest. */
const firstPauseMs = 5;
const maxPauseMs = 100;

/** Writes that a fence has refused, until their rows are elsewhere or the fence is open again. */
export class HeldWrites {
  readonly #options: HeldWritesOptions;
  #count = 0;

  constructor(options: HeldWritesOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Resolves when it is worth another attempt. Returns at once where the map has a newer answer.
   *
   * @param attempt how often this write was refused before
   * @throws WriteHeldError when too many wait, or for too long; the signal's reason
   */
  async wait(
    route: Refused,
    refusal: unknown,
    until: number,
    attempt: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const { router, max, copy } = this.#options;
    if (this.#count >= max) {
      throw new WriteHeldError(router, `${max} writes wait already for rows that move`, { cause: refusal });
    }
    if (channels.writeHeld.hasSubscribers) {
      channels.writeHeld.publish({ router, shard: route.shard, slot: route.slot });
    }
    this.#count++;
    try {
      let pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(attempt, 10));
      for (;;) {
        const now = await copy.fresh().catch(() => copy.routes!);
        if (hasMoved(now, route)) return;
        // The fence may be open again, or is about to be: of a slot that does not cut over, the shard itself is asked
        if (!isUncertain(now, route) && attempt === 0) return;
        await this.#pause(pauseMs, until, refusal, signal);
        if (!isUncertain(copy.routes!, route) || hasMoved(copy.routes!, route)) return;
        pauseMs = Math.min(maxPauseMs, pauseMs * 2);
      }
    } finally {
      this.#count--;
    }
  }

  async #pause(ms: number, until: number, refusal: unknown, signal?: AbortSignal): Promise<void> {
    const { router, copy, clock, maxMs } = this.#options;
    const leftMs = until - clock.now();
    if (leftMs <= 0) {
      throw new WriteHeldError(router, `its rows did not arrive within ${maxMs} ms`, { cause: refusal });
    }
    const over = new AbortController();
    const unlink = signal && onAbort(signal, reason => over.abort(reason));
    try {
      await Promise.race([clock.sleep(Math.min(ms, leftMs), over.signal), copy.changed(over.signal)]);
    } finally {
      unlink?.();
      over.abort();
    }
  }
}

function hasMoved(routes: Routes, { since }: Refused): boolean {
  return [...since].some(([slot, before]) => routes.since(slot) !== before);
}

function isUncertain(routes: Routes, { since }: Refused): boolean {
  return [...since.keys()].some(slot => routes.isUncertain(slot));
}
