import { Backoff, type Clock, describe, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Driver, NackOptions } from '../driver.ts';
import { decode, versionHeader } from '../envelope.ts';
import {
  DeliveryLostError,
  DoNotRetryError,
  DrainTimeoutError,
  HandlerTimeoutError,
  IdempotencyConflictError,
  InvalidPayloadError,
  OnceUnavailableError,
} from '../errors.ts';
import type { Once } from '../idempotency/once.ts';
import { StoreOnce } from '../idempotency/store-once.ts';
import type { MessageTypes } from '../messages.ts';
import type { HandlerContext, Running } from './context.ts';
import type { Settings } from './options.ts';
import { settle } from './settle.ts';

export type Handler = (payload: unknown, context: HandlerContext) => unknown;

interface Parts {
  readonly queue: string;
  readonly driver: Driver;
  readonly types: MessageTypes;
  readonly handler: Handler;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
}

/** Errors that another attempt would meet again. */
const hopeless = [DoNotRetryError, InvalidPayloadError, IdempotencyConflictError];
/** How often a process may die under a message, where the backend can count that. */
const defaultCrashes = 5;
/** Milliseconds until a message of a newer version is offered again, to this or a newer worker. */
const newerWorkerMs = 5_000;
/** Milliseconds until a message is offered again whose idempotency record could not be read or written. */
const onceAgainMs = 1_000;
const maxReasonLength = 1_000;

/** Runs handlers and settles their messages: acknowledged, tried again later, or dead. */
export class Attempts {
  readonly counts = { handled: 0, failed: 0, dead: 0, lost: 0 };
  readonly #parts: Parts;
  readonly #crashes: number;
  readonly #once: Once | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { settings, clock, random } = parts;
    const { idempotency } = settings;
    this.#once = idempotency && new StoreOnce({ settings: idempotency, clock, random });
    const countsCrashes = parts.driver.capabilities.crashCount === true;
    this.#crashes = countsCrashes ? (settings.crashes ?? defaultCrashes) : Infinity;
  }

  /** Settles the message, whatever happens. Never rejects. */
  async run(running: Running): Promise<void> {
    const { delivery } = running;
    try {
      const crashes = delivery.deliveries - 1 - running.failures;
      if (crashes > this.#crashes) {
        const reason = `its process died, or its lease ended, ${crashes} times while it was handled`;
        return await this.#bury(running, reason, false);
      }
      if (this.#isTooNew(delivery.headers)) {
        return await this.#nack(running, { requeueAfterMs: newerWorkerMs, charge: false });
      }
      await this.#handle(running);
    } catch (error) {
      this.#lost(running, error);
    }
  }

  async #handle(running: Running): Promise<void> {
    const { delivery, startedAt } = running;
    try {
      const payload = await this.#payload(running);
      if (this.#once === undefined) await this.#call(payload, running);
      else {
        const result = await this.#once.run(running, payload, () => this.#call(payload, running));
        if (result.kind === 'busy') {
          return await this.#nack(running, { requeueAfterMs: result.retryMs, charge: false });
        }
      }
    } catch (error) {
      return await this.#failed(running, error);
    }
    await settle(() => delivery.ack(), this.#patience(running));
    this.counts.handled++;
    if (channels.handled.hasSubscribers) {
      const durationMs = this.#parts.clock.now() - startedAt;
      channels.handled.publish({ ...this.#facts(running), durationMs });
    }
  }

  #payload({ topic, delivery }: Running): unknown {
    const payload = decode(topic, delivery.body, delivery.headers);
    const { types } = this.#parts;
    return types.checks ? types.check(topic, payload) : payload;
  }

  #call(payload: unknown, running: Running): Promise<unknown> {
    const { handler, settings } = this.#parts;
    // In an async function, so that a synchronous throw rejects too
    const result = (async () => handler(payload, running))();
    if (settings.timeoutMs !== undefined) this.#limit(running, result, settings.timeoutMs);
    return running.untilAbort(result);
  }

  #limit(running: Running, result: Promise<unknown>, timeoutMs: number): void {
    const { clock } = this.#parts;
    const timer = new AbortController();
    const expired = () => running.abort(new HandlerTimeoutError(running.topic, timeoutMs));
    clock.sleep(timeoutMs, timer.signal).then(expired, () => {});
    result.catch(() => {}).finally(() => timer.abort());
  }

  async #failed(running: Running, error: unknown): Promise<void> {
    if (error instanceof DeliveryLostError && running.abortReason === error) throw error;
    // Ended by us, not by itself
    if (running.abortReason instanceof DrainTimeoutError) {
      return await this.#nack(running, { charge: false });
    }
    if (error instanceof OnceUnavailableError) {
      return await this.#nack(running, { requeueAfterMs: onceAgainMs, charge: false });
    }
    this.counts.failed++;
    const retryInMs = this.#retryInMs(running, error);
    if (channels.failed.hasSubscribers) {
      const durationMs = this.#parts.clock.now() - running.startedAt;
      const retry = retryInMs !== undefined && { retryInMs };
      channels.failed.publish({ ...this.#facts(running), durationMs, error, ...retry });
    }
    if (retryInMs === undefined) await this.#bury(running, reasonOf(error), true);
    else await this.#nack(running, { requeueAfterMs: retryInMs });
  }

  /** Undefined when the message is dead. */
  #retryInMs(running: Running, error: unknown): number | undefined {
    const { attempts, backoff, retryIf } = this.#parts.settings;
    const failures = running.failures + 1;
    if (hopeless.some(type => error instanceof type)) return undefined;
    if (failures >= attempts || !mayRetry(error, retryIf)) return undefined;
    return Math.round(new Backoff(backoff, this.#parts.random, failures - 1).nextMs());
  }

  #isTooNew(headers: Readonly<Record<string, string>>): boolean {
    const { version } = this.#parts.settings;
    return version !== undefined && Number(headers[versionHeader]) > version;
  }

  async #bury(running: Running, reason: string, charge: boolean): Promise<void> {
    await this.#nack(running, { dead: reason, charge });
    this.counts.dead++;
    if (channels.dead.hasSubscribers) channels.dead.publish({ ...this.#facts(running), reason });
  }

  async #nack(running: Running, options: NackOptions): Promise<void> {
    await settle(() => running.delivery.nack(options), this.#patience(running));
  }

  #patience({ leaseEndsAt }: Running): { clock: Clock; random: Random; untilMs: number } {
    const { clock, random } = this.#parts;
    return { clock, random, untilMs: leaseEndsAt };
  }

  #lost(running: Running, error: unknown): void {
    this.counts.lost++;
    if (channels.lost.hasSubscribers) channels.lost.publish({ ...this.#facts(running), error });
  }

  #facts({ topic, group, id, attempt }: Running): {
    queue: string;
    topic: string;
    group: string;
    id: string;
    attempt: number;
  } {
    return { queue: this.#parts.queue, topic, group, id, attempt };
  }
}

/** A `retryIf` that itself throws has not said no. */
function mayRetry(error: unknown, retryIf: Settings['retryIf']): boolean {
  try {
    return retryIf === undefined || retryIf(error) !== false;
  } catch {
    return true;
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : describe(error);
  return text.slice(0, maxReasonLength);
}
