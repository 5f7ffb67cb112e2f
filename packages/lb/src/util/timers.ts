import { type Clock, timeUp } from '@ashlar/core';
import { type Entry, LinkedQueue } from './linked-queue.ts';

/** A started timer; `stop` may be called at any time. */
export interface Timer {
  stop(): void;
}

/**
 * For what a timer calls that belongs to one caller: a function that calls `act` a moment later, in the async context of
 * now. Timers of many requests ring in that of one of them, whose `AsyncLocalStorage` is none of the others' business.
 */
export function inThisContext(act: () => void): () => void {
  let ring = () => {};
  const rung = new Promise<void>(resolve => {
    ring = resolve;
  });
  void rung.then(act);
  return ring;
}

interface Alarm {
  readonly at: number;
  readonly act: () => void;
}

/**
 * Timers for many requests over few sleeps of a clock. Timers of one length end in the order of their start, so each length
 * needs one sleep only: under load a timer costs no more than an entry in a queue. Without timers nothing sleeps.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #queues = new Map<number, TimerQueue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(ms: number, act: () => void): Timer {
    const queue = this.#queues.get(ms) ?? this.#open(ms);
    return queue.start({ at: this.#clock.now() + ms, act });
  }

  #open(ms: number): TimerQueue {
    const queue: TimerQueue = new TimerQueue(this.#clock, () => {
      if (this.#queues.get(ms) === queue) this.#queues.delete(ms);
    });
    this.#queues.set(ms, queue);
    return queue;
  }
}

/** The timers of one length. */
class TimerQueue {
  readonly #clock: Clock;
  readonly #onEmpty: () => void;
  readonly #alarms = new LinkedQueue<Alarm>();
  #sleep: AbortController | undefined;

  constructor(clock: Clock, onEmpty: () => void) {
    this.#clock = clock;
    this.#onEmpty = onEmpty;
  }

  start(alarm: Alarm): Timer {
    const entry = this.#alarms.push(alarm);
    if (this.#sleep === undefined) this.#sleepUntil(alarm.at);
    return { stop: () => this.#stop(entry) };
  }

  #stop(entry: Entry<Alarm>): void {
    // Another may be first now: the sleep continues, finds nothing due, and sleeps again
    if (this.#alarms.remove(entry) && this.#alarms.length === 0) this.#end();
  }

  #sleepUntil(at: number): void {
    const sleep = new AbortController();
    this.#sleep = sleep;
    timeUp(this.#clock, at - this.#clock.now(), sleep.signal).then(
      () => {
        if (this.#sleep === sleep) this.#ring();
      },
      () => {},
    );
  }

  #ring(): void {
    this.#sleep = undefined;
    const now = this.#clock.now();
    for (let due = this.#alarms.first; due !== undefined && due.item.at <= now; due = this.#alarms.first) {
      this.#alarms.remove(due);
      due.item.act();
    }
    if (this.#alarms.first === undefined) this.#end();
    else if (this.#sleep === undefined) this.#sleepUntil(this.#alarms.first.item.at);
  }

  #end(): void {
    this.#sleep?.abort(stopped);
    this.#sleep = undefined;
    this.#onEmpty();
  }
}

/** A reason that reaches no caller; an error for each would cost a stack. */
const stopped = 'stopped';
