import type { Clock } from '@ashlar/core';

interface Event {
  readonly at: number;
  act: () => void;
}

/** Virtual time: what is to happen, in the order of its times, and for equal ones in the order in which it was noted. */
export class VirtualClock implements Clock {
  #now = 0;
  /** The next is the last. */
  readonly #events: Event[] = [];

  now(): number {
    return this.#now;
  }

  /** Returns how to take it back. What is infinitely far away is not noted. */
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

  /** Lets what is due next happen, if that is by `until`; returns whether there was something. */
  step(until: number): boolean {
    const next = this.#events.at(-1);
    if (next === undefined || next.at > until) return false;
    this.#events.pop();
    this.#now = next.at;
    next.act();
    return true;
  }

  /** Nothing more happens until then. */
  skipTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  /** Before all that come earlier, after those that come later. */
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

/** Resolves when everything that was ready has run: microtasks are over before the next task begins. */
export function nextTask(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise(resolve => setImmediate(resolve));
  // A browser's timers would make thousands of turns take minutes
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    const received = () => {
      port1.close();
      resolve();
    };
    port1.addEventListener('message', received, { once: true });
    port1.start();
    port2.postMessage(undefined);
  });
}
