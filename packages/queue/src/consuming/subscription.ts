import { Backoff, type Clock, InvalidOptionError, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Delivery, Driver } from '../driver.ts';
import { DeliveryLostError, QueueClosedError } from '../errors.ts';
import type { Once } from '../idempotency/once.ts';
import { StoreOnce } from '../idempotency/store-once.ts';
import { TransactionOnce } from '../idempotency/transaction-once.ts';
import type { MessageTypes } from '../messages/messages.ts';
import { Attempts } from './attempts.ts';
import { Gathering } from './batches.ts';
import type { CallLimits } from './calling.ts';
import { Running } from './context.ts';
import { Drain } from './drain.ts';
import { type BatchHandler, BatchRun, type Handler, SingleHandler } from './handlers.ts';
import { type DrainOptions, readDrain, type Settings } from './options.ts';

export interface SubscriptionSnapshot {
  readonly topic: string;
  readonly group: string;
  readonly state: 'consuming' | 'failing' | 'draining' | 'closed';
  readonly running: number;
  /** Messages since the start: acknowledged, failed, sent to the dead letters, lost. */
  readonly handled: number;
  readonly failed: number;
  readonly dead: number;
  readonly lost: number;
  /** Results that JSON does not keep; their messages are acknowledged. */
  readonly resultsDropped: number;
  /** Milliseconds since the backend last answered; undefined where the driver does not say. */
  readonly silentMs: number | undefined;
  /** How long the oldest handler has been running, in milliseconds. */
  readonly oldestMs: number | undefined;
  /** Why consuming fails at present. */
  readonly error: string | undefined;
}

export interface SubscriptionParts {
  readonly queue: string;
  readonly driver: Driver;
  readonly types: MessageTypes;
  readonly topic: string;
  readonly handler: Handler | BatchHandler;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  /** It has closed. */
  closed(): void;
}

/** Between tries to consume again. */
const again = { firstMs: 100, maxMs: 2_000 };
/** Between extensions where a driver has no lease: how often this looks at what runs. */
const defaultLeaseMs = 30_000;

/** Consumes one topic for one group: as many handlers at once as it may run, each message settled by what became of it. */
export class Subscription implements AsyncDisposable {
  readonly #parts: SubscriptionParts;
  readonly #leaseMs: number;
  readonly #limits: CallLimits;
  readonly #attempts: Attempts;
  readonly #handle: (running: Running) => void;
  #gathering: Gathering | undefined;
  readonly #running = new Set<Running>();
  /** Handed out beyond the places there are: after a lost connection the driver knows nothing of what still runs. */
  readonly #parked: Running[] = [];
  /** Begun, and its lease is lost: it has no place any more, though its handler may not heed that. */
  readonly #lost = new Set<Running>();
  /** Ends the claiming of messages. */
  readonly #stop = new AbortController();
  /** Ends the beat, when nothing runs any more. */
  readonly #end = new AbortController();
  readonly #consuming: Promise<void>;
  #aliveAt: number | undefined;
  #error: unknown;
  #refusal: InvalidOptionError | undefined;
  #drain: Drain | undefined;
  #isOver = false; // The driver is closed: nothing more comes
  #isClosed = false;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#leaseMs = parts.driver.leaseMs ?? defaultLeaseMs;
    this.#limits = { clock: parts.clock, timeoutMs: parts.settings.timeoutMs };
    this.#attempts = new Attempts({ ...parts, limits: this.#limits });
    this.#handle = this.#handling();
    this.#consuming = this.#consume();
    void this.#beat();
  }

  /** Why the driver cannot consume as it was made, known at once: then nothing is consumed, and it is to be closed. */
  get refusal(): InvalidOptionError | undefined {
    return this.#refusal;
  }

  /**
   * Stops claiming messages, waits for the handlers that run, aborts their signals when `timeoutMs` are over, and then
   * gives back what they did not finish. Closing again may shorten that time. A handler that closes it passes its context as
   * `within`, and is settled as it ends. Never rejects for what a handler or the backend does.
   *
   * @throws InvalidOptionError
   */
  async close(options: DrainOptions = {}): Promise<void> {
    const { timeoutMs, within } = readDrain(options);
    const own = within.filter(running => this.#running.has(running));
    if (this.#drain === undefined) this.#startDrain(timeoutMs);
    else this.#drain.shorten(timeoutMs);
    await this.#drain!.endedBut(own);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  snapshot(): SubscriptionSnapshot {
    const now = this.#parts.clock.now();
    const { counts } = this.#attempts;
    const starts = [...this.#running].map(({ startedAt }) => now - startedAt);
    return {
      topic: this.#parts.topic,
      group: this.#parts.settings.group,
      state: this.#state,
      running: this.#running.size,
      ...counts,
      silentMs: this.#aliveAt === undefined ? undefined : now - this.#aliveAt,
      oldestMs: starts.length === 0 ? undefined : Math.max(...starts),
      error: this.#error === undefined ? undefined : String(this.#error),
    };
  }

  get #state(): SubscriptionSnapshot['state'] {
    if (this.#isClosed) return 'closed';
    if (this.#drain !== undefined) return 'draining';
    return this.#error === undefined ? 'consuming' : 'failing';
  }

  async #consume(): Promise<void> {
    const { queue, driver, topic, settings, clock, random } = this.#parts;
    const { group, ordered, fair, limits } = settings;
    const { signal } = this.#stop;
    const backoff = new Backoff(again, random);
    const works = () => {
      this.#error = undefined;
      backoff.reset();
    };
    // Only of a driver that says so an idle time is known: one that does not may wait for hours
    const alive = () => {
      this.#aliveAt = clock.now();
      works();
    };
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      let error: unknown = new Error('the driver ended the iteration');
      try {
        const options = { prefetch: this.#places, signal, ordered, fair, limits, alive };
        const deliveries = driver.consume(topic, group, options);
        isFirst = false;
        for await (const delivery of deliveries) {
          works();
          if (this.#aliveAt !== undefined) this.#aliveAt = clock.now();
          this.#begin(delivery);
        }
      } catch (thrown) {
        error = thrown;
        if (isFirst && thrown instanceof InvalidOptionError) {
          this.#refusal = thrown;
          return;
        }
      }
      if (signal.aborted) return;
      this.#error = error;
      this.#isOver = error instanceof QueueClosedError;
      const retryInMs = backoff.nextMs();
      if (channels.consumeFailed.hasSubscribers) {
        channels.consumeFailed.publish({ queue, topic, group, error, ...(!this.#isOver && { retryInMs }) });
      }
      if (this.#isOver) return this.#endBeat();
      await clock.sleep(retryInMs, signal).catch(() => {});
    }
  }

  #begin(delivery: Delivery): void {
    const { topic, settings, clock } = this.#parts;
    const now = clock.now();
    const running = new Running(topic, settings.group, delivery, now, now + this.#leaseMs);
    this.#running.add(running);
    if (this.#running.size <= this.#places) {
      this.#handle(running);
    } else {
      this.#parked.push(running);
      this.#startParked();
    }
  }

  #startParked(): void {
    if (this.#parked.length === 0) return;
    const begun = this.#running.size - this.#lost.size - this.#parked.length;
    for (const running of this.#parked.splice(0, Math.max(0, this.#places - begun))) this.#handle(running);
  }

  get #places(): number {
    const { concurrency, batch } = this.#parts.settings;
    return concurrency * (batch?.size ?? 1);
  }

  #handling(): (running: Running) => void {
    const { settings, handler, clock, random } = this.#parts;
    const { batch, idempotency, results } = settings;
    const limits = this.#limits;
    if (batch !== undefined) {
      const batches = new BatchRun(handler as BatchHandler, this.#attempts, limits);
      const gathering = new Gathering(clock, batch, all => {
        void batches.run(all).then(() => this.#over(...all));
      });
      this.#gathering = gathering;
      return running => gathering.add(running);
    }
    const once = onceOf(idempotency, { clock, random, keepsResults: results });
    const single = new SingleHandler(handler as Handler, this.#attempts, once, limits);
    return running => void single.run(running).then(() => this.#over(running));
  }

  #over(...ended: readonly Running[]): void {
    for (const running of ended) {
      this.#running.delete(running);
      this.#lost.delete(running);
    }
    this.#startParked();
    this.#endBeat();
    this.#drain?.changed();
  }

  /** A closed driver is never there again: nothing keeps the process alive but what still runs. */
  #endBeat(): void {
    if (this.#isOver && this.#running.size === 0) this.#end.abort();
  }

  /** Extends what runs, and ends what has lost its lease: also after the event loop stood still. Keeps the process alive. */
  async #beat(): Promise<void> {
    const { clock } = this.#parts;
    const everyMs = this.#leaseMs / 3;
    while (!this.#end.signal.aborted) {
      await clock.sleep(everyMs, this.#end.signal).catch(() => {});
      const now = clock.now();
      for (const running of this.#running) {
        if (running.leaseEndsAt <= now) this.#lose(running, new DeliveryLostError(running.id));
        else if (now - running.startedAt >= everyMs / 2) void this.#extend(running, now);
      }
    }
  }

  async #extend(running: Running, sentAt: number): Promise<void> {
    try {
      await running.delivery.extend(this.#leaseMs);
      running.leaseEndsAt = sentAt + this.#leaseMs;
    } catch (error) {
      // Otherwise it is tried again with the next beat, as long as the lease may hold
      if (error instanceof DeliveryLostError) this.#lose(running, error);
    }
  }

  #lose(running: Running, error: DeliveryLostError): void {
    running.abort(error);
    const place = this.#parked.indexOf(running);
    if (place >= 0) {
      this.#parked.splice(place, 1);
      this.#over(running);
    } else if (this.#running.has(running)) {
      this.#lost.add(running);
      this.#startParked();
    }
  }

  #startDrain(timeoutMs: number): void {
    const { clock, topic, closed } = this.#parts;
    const stop = () => {
      this.#stop.abort(new Error('the subscription closes'));
      return this.#consuming;
    };
    const settleWaiting = () => {
      for (const running of this.#parked.splice(0)) {
        void this.#attempts.giveBack(running).then(() => this.#over(running));
      }
      this.#gathering?.flush();
    };
    this.#drain = new Drain({ topic, clock, running: this.#running, stop, settleWaiting }, timeoutMs);
    void this.#drain.ended.then(() => {
      this.#end.abort();
      this.#isClosed = true;
      closed();
    });
  }
}

function onceOf(
  settings: Settings['idempotency'],
  parts: { readonly clock: Clock; readonly random: Random; readonly keepsResults: boolean },
): Once | undefined {
  if (settings === undefined) return undefined;
  if (settings.mode === 'transaction') return new TransactionOnce({ settings, ...parts });
  return new StoreOnce({ settings, ...parts });
}
