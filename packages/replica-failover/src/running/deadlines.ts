import { Alarm, backgroundClock, type Clock, systemClock } from '@ashlar/core';

/** An alarm that rings later than this was held up: what has arrived meanwhile is in time, and has yet to be read. */
const heldUpMs = 20;
const graceMs = 10;
/** As long as a timer of Node can wait. */
const longestMs = 2 ** 31 - 1;

interface Deadline {
  readonly at: number;
  readonly late: () => void;
}

/** When calls have to be over. While there are any, the process lives; one timer serves all that have the usual time. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #usualMs: number;
  readonly #lines = new Map<number, Line>();
  readonly #keepAlive: KeepAlive | undefined;

  /** @param usualMs milliseconds that most calls have */
  constructor(clock: Clock, usualMs: number) {
    this.#clock = clock === systemClock ? backgroundClock : clock;
    this.#keepAlive = clock === systemClock ? new KeepAlive() : undefined;
    this.#usualMs = usualMs;
  }

  /** Calls `late` when the time is over. Returns a function that forgets it. */
  add(timeoutMs: number, late: () => void): () => void {
    const line = this.#lines.get(timeoutMs) ?? new Line(this.#clock);
    this.#lines.set(timeoutMs, line);
    const forget = () => {
      if (!line.forget(deadline)) return;
      this.#keepAlive?.remove();
      // The timer of the usual time stays, as it will be needed again
      if (line.size === 0 && timeoutMs !== this.#usualMs) this.#end(timeoutMs, line);
    };
    const deadline: Deadline = {
      at: this.#clock.now() + timeoutMs,
      late() {
        forget();
        late();
      },
    };
    line.add(deadline);
    this.#keepAlive?.add();
    return forget;
  }

  /** No more are added. */
  close(): void {
    for (const [timeoutMs, line] of this.#lines) if (line.size === 0) this.#end(timeoutMs, line);
    this.#keepAlive?.close();
  }

  #end(timeoutMs: number, line: Line): void {
    line.close();
    if (this.#lines.get(timeoutMs) === line) this.#lines.delete(timeoutMs);
  }
}

/** Deadlines of the same length: the earliest was added first. */
class Line {
  readonly #clock: Clock;
  readonly #deadlines = new Set<Deadline>();
  readonly #alarm: Alarm;
  #isGrace = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#alarm = new Alarm(clock, () => this.#ring());
  }

  get size(): number {
    return this.#deadlines.size;
  }

  add(deadline: Deadline): void {
    this.#deadlines.add(deadline);
    if (this.#alarm.at === Infinity) this.#alarm.set(deadline.at);
  }

  /** Whether it was there. */
  forget(deadline: Deadline): boolean {
    return this.#deadlines.delete(deadline);
  }

  close(): void {
    this.#alarm.clear();
  }

  #ring(): void {
    const now = this.#clock.now();
    const [first] = this.#deadlines;
    if (first === undefined) return;
    if (now - first.at > heldUpMs && !this.#isGrace) {
      this.#isGrace = true;
      this.#alarm.set(now + graceMs);
      return;
    }
    this.#isGrace = false;
    for (const deadline of this.#deadlines) {
      if (deadline.at > now) {
        this.#alarm.set(deadline.at);
        return;
      }
      deadline.late();
    }
  }
}

/** Keeps the process alive while it counts something. */
class KeepAlive {
  #count = 0;
  #timer: { ref?(): unknown; unref?(): unknown } | undefined;

  add(): void {
    if (this.#count++ > 0) return;
    this.#timer ??= setInterval(() => {}, longestMs) as { ref?(): unknown; unref?(): unknown };
    this.#timer.ref?.();
  }

  remove(): void {
    if (--this.#count === 0) this.#timer?.unref?.();
  }

  close(): void {
    if (this.#count > 0) return;
    clearInterval(this.#timer as never);
    this.#timer = undefined;
  }
}
