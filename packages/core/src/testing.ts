export { onSubjects, runnerRule, type Skip, skipRule, suite, type TestRunner } from './suite.ts';

import { checkMs, refused } from './options/refused.ts';
import type { Clock } from './time/clock.ts';

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** A clock that stands still until it is moved. Sleepers wake in order of their time, each before the next one. */
export class ManualClock implements Clock {
  #now: number;
  #sleepers: Sleeper[] = [];

  /** @throws InvalidOptionError */
  constructor(startMs = 0) {
    checkMs(startMs, 'startMs');
    this.#now = startMs;
  }

  /** How many calls of `sleep` have not yet ended. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** When the next of them ends; `Infinity` when there is none. */
  get nextAt(): number {
    return this.#sleepers[0]?.at ?? Infinity;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      checkMs(ms, 'ms');
      if (signal?.aborted) return reject(signal.reason);
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter(other => other !== sleeper);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.push(sleeper);
      this.#sleepers.sort((a, b) => a.at - b.at);
    });
  }

  /** Moves time on. What wakes has run as far as it can without I/O, and may have slept again, before the next. */
  async advance(ms: number): Promise<void> {
    if (!(Number.isFinite(ms) && ms >= 0)) throw refused('ms', 'a number of milliseconds of at least 0', ms);
    const until = this.#now + ms;
    await nextTask();
    for (let next = this.#sleepers[0]; next !== undefined && next.at <= until; next = this.#sleepers[0]) {
      this.#sleepers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await nextTask();
    }
    this.#now = until;
  }
}

interface ProcessLike {
  getBuiltinModule?(id: string): { readonly scheduler: { yield(): Promise<void> } } | undefined;
}

// What a test runner replaces may be replaced before this is loaded; Node's own scheduler is not among it
const { process } = globalThis as { readonly process?: ProcessLike };
const scheduler = process?.getBuiltinModule?.('node:timers/promises')?.scheduler;

/** Resolves in a task of its own, so that all callbacks and microtasks that were ready have run, in a page as well as in Node. */
export const nextTask: () => Promise<void> = scheduler?.yield.bind(scheduler) ?? viaPort;

/** A page's timers wait for 4 ms at least when they are nested, and for a second while it is in the background. */
function viaPort(): Promise<void> {
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
