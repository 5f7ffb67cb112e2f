import { Alarm, type Clock } from '@ashlar/core';
import { DrainTimeoutError } from '../errors.ts';
import type { Running } from './context.ts';

/** What is drained. */
interface Drained {
  readonly topic: string;
  readonly clock: Clock;
  /** Messages whose handlers run, or that wait for one. */
  readonly running: ReadonlySet<Running>;
  /** Ends the claiming of messages; resolves when none comes any more. */
  stop(): Promise<void>;
  /** What is not begun is given back; what waits for company is handled. */
  settleWaiting(): void;
}

/** A handler that waits for the others. */
interface Waiting {
  readonly own: readonly Running[];
  resolve(): void;
}

/** Milliseconds that a handler has to end after its signal has aborted, before it is no longer waited for. */
const graceMs = 1_000;

/** The end of a subscription: waits for the handlers that run, for a time that only becomes shorter. */
export class Drain {
  /** Resolves when they have ended, or the time is over. */
  readonly ended: Promise<void>;
  readonly #drained: Drained;
  readonly #alarm: Alarm;
  readonly #late: Promise<void>;
  readonly #waiting = new Set<Waiting>();
  #timeoutMs = Infinity;
  #isStopped = false;
  #idle = (): void => {};

  constructor(drained: Drained, timeoutMs: number) {
    this.#drained = drained;
    let late!: () => void;
    this.#late = new Promise(resolve => {
      late = resolve;
    });
    this.#alarm = new Alarm(drained.clock, late);
    this.shorten(timeoutMs);
    this.ended = this.#run();
  }

  /** From now on they have so long, if that is less than they would have. */
  shorten(timeoutMs: number): void {
    const endsAt = this.#drained.clock.now() + timeoutMs;
    if (endsAt >= this.#alarm.at) return;
    this.#timeoutMs = timeoutMs;
    this.#alarm.set(endsAt);
  }

  /** As `ended`, for the handlers of these messages: not they are waited for, nor others that wait so. */
  endedBut(own: readonly Running[]): Promise<void> {
    if (own.length === 0) return this.ended;
    const others = new Promise<void>(resolve => this.#waiting.add({ own, resolve }));
    this.changed();
    return Promise.race([others, this.ended]);
  }

  /** What runs has changed. */
  changed(): void {
    if (!this.#isStopped) return;
    const { running } = this.#drained;
    if (running.size === 0) this.#idle();
    const waiting = new Set([...this.#waiting].flatMap(({ own }) => own));
    if (![...running].every(each => waiting.has(each))) return;
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #run(): Promise<void> {
    const { topic, clock, running, stop, settleWaiting } = this.#drained;
    await Promise.race([stop(), this.#late]);
    this.#isStopped = true;
    settleWaiting();
    const idle = new Promise<void>(resolve => {
      this.#idle = resolve;
    });
    this.changed();
    await Promise.race([idle, this.#late]);
    this.#alarm.clear();
    for (const each of running) each.abort(new DrainTimeoutError(topic, this.#timeoutMs));
    const grace = new AbortController();
    const over = clock.sleep(graceMs, grace.signal).catch(() => {});
    if (running.size > 0) await Promise.race([idle, over]);
    grace.abort();
  }
}
