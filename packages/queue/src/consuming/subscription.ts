import { Backoff, type Clock, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Delivery, Driver } from '../driver.ts';
import { DeliveryLostError, DrainTimeoutError } from '../errors.ts';
import { StoreOnce } from '../idempotency/store-once.ts';
import type { MessageTypes } from '../messages.ts';
import { Attempts } from './attempts.ts';
import { Gathering } from './batches.ts';
import { Running } from './context.ts';
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
  closed(subscription: Subscription): void;
}

/** Between tries to consume again. */
const again = { firstMs: 100, maxMs: 2_000 };
/** Milliseconds that a handler has to end after its signal has aborted, before `close` no longer waits. */
const graceMs = 1_000;
/** Between extensions where a driver has no lease: how often this looks at what runs. */
const defaultLeaseMs = 30_000;

/** Consumes one topic for one group: as many handlers at once as it may run, each message settled by what became of it. */
export class Subscription implements AsyncDisposable {
  readonly #parts: SubscriptionParts;
  readonly #leaseMs: number;
  readonly #attempts: Attempts;
  readonly #handle: (running: Running) => void;
  #gathering: Gathering | undefined;
  readonly #running = new Set<Running>();
  /** Ends the claiming of messages. */
  readonly #stop = new AbortController();
  /** Ends the beat, when nothing runs any more. */
  readonly #end = new AbortController();
  readonly #consuming: Promise<void>;
  #aliveAt: number | undefined;
  #error: unknown;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#leaseMs = parts.driver.leaseMs ?? defaultLeaseMs;
    this.#attempts = new Attempts(parts);
    this.#handle = this.#handling();
    this.#consuming = this.#consume();
    void this.#beat();
  }

  /**
   * Stops claiming messages, waits for the handlers that run, aborts their signals when `timeoutMs` are over, and then
   * gives back what they did not finish. Never rejects for what a handler or the backend does.
   *
   * @throws InvalidOptionError
   */
  async close(options: DrainOptions = {}): Promise<void> {
    const { timeoutMs } = readDrain(options);
    this.#closing ??= this.#drain(timeoutMs);
    await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  snapshot(): SubscriptionSnapshot {
    const now = this.#parts.clock.now();
    const { handled, failed, dead, lost } = this.#attempts.counts;
    const starts = [...this.#running].map(({ startedAt }) => now - startedAt);
    return {
      topic: this.#parts.topic,
      group: this.#parts.settings.group,
      state: this.#state,
      running: this.#running.size,
      ...{ handled, failed, dead, lost },
      silentMs: this.#aliveAt === undefined ? undefined : now - this.#aliveAt,
      oldestMs: starts.length === 0 ? undefined : Math.max(...starts),
      error: this.#error === undefined ? undefined : String(this.#error),
    };
  }

  get #state(): SubscriptionSnapshot['state'] {
    if (this.#isClosed) return 'closed';
    if (this.#closing !== undefined) return 'draining';
    return this.#error === undefined ? 'consuming' : 'failing';
  }

  async #consume(): Promise<void> {
    const { queue, driver, topic, settings, clock, random } = this.#parts;
    const { group, concurrency, batch, ordered, fair, limits } = settings;
    const { signal } = this.#stop;
    const backoff = new Backoff(again, random);
    const alive = () => {
      this.#aliveAt = clock.now();
      this.#error = undefined;
      backoff.reset();
    };
    while (!signal.aborted) {
      let error: unknown = new Error('the driver ended the iteration');
      try {
        const options = { prefetch: concurrency * (batch?.size ?? 1), signal, ordered, fair, limits, alive };
        for await (const delivery of driver.consume(topic, group, options)) {
          alive();
          this.#begin(delivery);
        }
      } catch (thrown) {
        error = thrown;
      }
      if (signal.aborted) return;
      this.#error = error;
      const retryInMs = backoff.nextMs();
      if (channels.consumeFailed.hasSubscribers) {
        channels.consumeFailed.publish({ queue, topic, group, error, retryInMs });
      }
      await clock.sleep(retryInMs, signal).catch(() => {});
    }
  }

  #begin(delivery: Delivery): void {
    const { topic, settings, clock } = this.#parts;
    const now = clock.now();
    const running = new Running(topic, settings.group, delivery, now, now + this.#leaseMs);
    this.#running.add(running);
    this.#handle(running);
  }

  #handling(): (running: Running) => void {
    const { settings, handler, clock, random } = this.#parts;
    const { batch, idempotency, results, timeoutMs } = settings;
    const limits = { clock, timeoutMs };
    if (batch !== undefined) {
      const batches = new BatchRun(handler as BatchHandler, this.#attempts, limits);
      const gathering = new Gathering(clock, batch, all => {
        void batches.run(all).then(() => this.#over(all));
      });
      this.#gathering = gathering;
      return running => gathering.add(running);
    }
    const once =
      idempotency && new StoreOnce({ settings: idempotency, clock, random, keepsResults: results });
    const single = new SingleHandler(handler as Handler, this.#attempts, once, limits);
    return running => void single.run(running).then(() => this.#over([running]));
  }

  #over(ended: readonly Running[]): void {
    for (const running of ended) this.#running.delete(running);
    if (this.#running.size === 0) this.#idle?.();
  }

  /** Extends what runs, and ends what has lost its lease: also after the event loop stood still. Keeps the process alive. */
  async #beat(): Promise<void> {
    const { clock } = this.#parts;
    const everyMs = this.#leaseMs / 3;
    while (!this.#end.signal.aborted) {
      await clock.sleep(everyMs, this.#end.signal).catch(() => {});
      const now = clock.now();
      for (const running of this.#running) {
        if (running.leaseEndsAt <= now) running.abort(new DeliveryLostError(running.id));
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
      if (error instanceof DeliveryLostError) running.abort(error);
    }
  }

  async #drain(timeoutMs: number): Promise<void> {
    const { clock, topic, closed } = this.#parts;
    this.#stop.abort(new Error('the subscription closes'));
    await this.#consuming;
    this.#gathering?.flush();
    const done = new AbortController();
    const idle = new Promise<void>(resolve => {
      this.#idle = resolve;
      if (this.#running.size === 0) resolve();
    }).then(() => done.abort());
    await clock.sleep(timeoutMs, done.signal).catch(() => {});
    for (const running of this.#running) running.abort(new DrainTimeoutError(topic, timeoutMs));
    if (this.#running.size > 0) await Promise.race([idle, clock.sleep(graceMs, done.signal).catch(() => {})]);
    this.#end.abort();
    this.#isClosed = true;
    closed(this);
  }
}
