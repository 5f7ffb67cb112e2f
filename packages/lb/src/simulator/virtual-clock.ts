import type { Clock } from '@ashlar/core';

interface Event {
  readonly at: number;
  act: () => void;
}

/** Virtual time: runs events in the order of their times, and those of equal time in the order of scheduling. */
export class VirtualClock implements Clock {
  #now = 0;
  /** Sorted, the next event last. */
  readonly #events: Event[] = [];

  now(): number {
    return this.#now;
  }

  /** Schedules an event, unless it is infinitely far away. Returns a function that cancels it. */
  after(ms: number, act: () => void): () => void {
    const event = { at: this.#now + ms, act };
    if (ms < Infinity) this.#events.splice(this.#place(event.at), 0, event);
    return () => {
      event.act = nothing;
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Runs the next event if it is due by `until`; returns whether there was one. */
  step(until: number): boolean {
    const next = this.#events.at(-1);
    if (next === undefined || next.at > until) return false;
    this.#events.pop();
    this.#now = next.at;
    next.act();
    return true;
  }

  /** Moves to a time before which no event is due. */
  skipTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  /** In front of all earlier events and behind all later ones. */
  #place(at: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.at > at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function nothing(): void {}
