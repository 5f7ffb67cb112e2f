import { abortable } from '@ashlar/core';

/**
 * One load of one key, which any number of callers wait for. It is given up when all of them have aborted, unless it
 * refreshes what is being served.
 */
export class Flight<V> {
  /** The number of changes of tags at its start: whoever comes after a later change must not wait for it. */
  readonly stamp: number;
  readonly startedAt: number;
  readonly background: boolean;
  readonly answer: Promise<V | undefined>;
  /** Set when it has answered; it may go on after that. */
  answered = false;
  /** Called once, at its abort. */
  onAbort: ((reason: unknown) => void) | undefined;
  #resolve!: (value: V | undefined) => void;
  #reject!: (error: unknown) => void;
  #waiting = 0;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  constructor(stamp: number, startedAt: number, background: boolean) {
    this.stamp = stamp;
    this.startedAt = startedAt;
    this.background = background;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (background) this.answer.catch(() => {});
  }

  /** Made when it is asked for: most loads never look. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.#aborted !== undefined;
  }

  /** Whether somebody waits for it, and not only for what comes after. */
  get isAwaited(): boolean {
    return this.#waiting > 0 && !this.answered;
  }

  resolve(value: V | undefined): void {
    this.answered = true;
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.answered = true;
    this.#reject(error);
  }

  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    this.onAbort?.(reason);
  }

  /** The answer for one caller. `abandon` is called when its abort leaves nobody who waits. */
  wait(signal: AbortSignal | undefined, abandon: () => void): Promise<V | undefined> {
    this.#waiting++;
    if (signal === undefined) return this.answer;
    const leave = () => {
      if (--this.#waiting > 0 || this.background || this.answered) return;
      this.answer.catch(() => {});
      abandon();
      this.abort(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    return abortable(this.answer, signal).finally(() => signal.removeEventListener('abort', leave));
  }
}

/** The loads under way: one a key that may still store what it loads. */
export class Flights<V> {
  readonly #flights = new Map<unknown, Flight<V>>();
  readonly #all = new Set<Flight<V>>();
  #joinableFrom = 0;

  /** How many are under way, those that may not store included. */
  get size(): number {
    return this.#all.size;
  }

  /** The flight that a caller who comes now may wait for. */
  find(id: unknown): Flight<V> | undefined {
    const flight = this.#flights.get(id);
    return flight !== undefined && flight.stamp >= this.#joinableFrom ? flight : undefined;
  }

  add(id: unknown, flight: Flight<V>): void {
    this.#flights.set(id, flight);
    this.#all.add(flight);
  }

  /** Whether what it loads may be stored: nothing was written, deleted or reset since it began. */
  isCurrent(id: unknown, flight: Flight<V>): boolean {
    return this.#flights.get(id) === flight;
  }

  /** Nobody else is to wait for it. */
  detach(id: unknown, flight: Flight<V>): void {
    if (this.isCurrent(id, flight)) this.#flights.delete(id);
  }

  /** It is over. */
  remove(id: unknown, flight: Flight<V>): void {
    this.detach(id, flight);
    this.#all.delete(flight);
  }

  /** What is loading for this key will not be stored, nor waited for by others than those who do. */
  fence(id: unknown): void {
    this.#flights.delete(id);
  }

  fenceAll(): void {
    this.#flights.clear();
  }

  /** Flights of before that change are not joined any more: of what they will load, the tags are not known yet. */
  changed(stamp: number): void {
    this.#joinableFrom = stamp;
  }

  abortAll(reason: unknown): void {
    for (const flight of this.#all) {
      flight.abort(reason);
      flight.reject(reason);
    }
  }
}
