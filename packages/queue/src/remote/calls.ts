import { QueueTimeoutError } from '../errors.ts';
import type { ClientMessage } from './protocol.ts';

/** Whether a call is sent again over another channel, when it may have been done already. */
export type Repeats = 'always' | 'never';

export interface Answer {
  readonly result?: unknown;
  readonly parts?: readonly Uint8Array[];
}

interface CallOptions {
  /** What is known of it when it was sent and no answer has come. */
  readonly outcome: 'NotExecuted' | 'Unknown';
  readonly repeats: Repeats;
  readonly timeoutMs: number;
}

export interface Call extends CallOptions {
  readonly message: ClientMessage;
  readonly endsAt: number;
  wasSent: boolean;
  late(wasSent: boolean): Error;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** How exact the time limits are. */
const lookMs = 50;

/** Calls that wait for their answer. One timer looks after all of them, as a timer each costs more than a message. */
export class Calls {
  readonly #calls = new Map<number, Call>();
  readonly #waits: (isWaiting: boolean) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lookedAt = 0;
  #last = 0;

  /** @param waits told when there are some, and when there are none any more */
  constructor(waits: (isWaiting: boolean) => void) {
    this.#waits = waits;
  }

  make(
    message: (id: number) => ClientMessage,
    options: CallOptions,
    send: (call: Call) => void,
    late = (wasSent: boolean): Error =>
      new QueueTimeoutError('settling', options.timeoutMs, wasSent ? options.outcome : 'NotExecuted'),
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      const endsAt = performance.now() + options.timeoutMs;
      const call: Call = { ...options, message: message(id), endsAt, wasSent: false, late, resolve, reject };
      if (this.#calls.size === 0) this.#begin();
      this.#calls.set(id, call);
      send(call);
    });
  }

  resolve(id: number, answer: Answer): void {
    this.#take(id)?.resolve(answer);
  }

  reject(id: number, error: Error): void {
    this.#take(id)?.reject(error);
  }

  each(visit: (call: Call) => void): void {
    for (const call of this.#calls.values()) visit(call);
  }

  /** The channel has ended: those that may not be done twice, and may have been done, are over. */
  lost(error: (outcome: 'NotExecuted' | 'Unknown') => Error): void {
    for (const [id, { repeats, wasSent, outcome }] of this.#calls) {
      if (repeats === 'never' && wasSent) this.reject(id, error(outcome));
    }
  }

  endAll(error: (call: Call) => Error): void {
    for (const [id, call] of this.#calls) this.reject(id, error(call));
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id);
    if (call === undefined) return undefined;
    this.#calls.delete(id);
    if (this.#calls.size === 0) {
      clearInterval(this.#timer);
      this.#waits(false);
    }
    return call;
  }

  #begin(): void {
    this.#lookedAt = performance.now();
    this.#timer = setInterval(() => this.#look(), lookMs);
    this.#waits(true);
  }

  #look(): void {
    const now = performance.now();
    const stoodStill = now - this.#lookedAt > 4 * lookMs;
    this.#lookedAt = now;
    // Answers that arrived meanwhile are read first
    if (stoodStill) return;
    for (const [id, call] of this.#calls) {
      if (call.endsAt <= now) this.reject(id, call.late(call.wasSent));
    }
  }
}
