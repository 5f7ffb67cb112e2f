import { Backoff, type Clock, describe, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Driver, NackOptions } from '../driver.ts';
import { decode, encode, versionHeader } from '../envelope.ts';
import {
  DeliveryLostError,
  DoNotRetryError,
  DrainTimeoutError,
  IdempotencyConflictError,
  InvalidPayloadError,
  OnceUnavailableError,
} from '../errors.ts';
import type { MessageTypes } from '../messages.ts';
import type { Running } from './context.ts';
import type { Settings } from './options.ts';
import { settle } from './settle.ts';

interface Parts {
  readonly queue: string;
  readonly driver: Driver;
  readonly types: MessageTypes;
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

/** What becomes of messages: handled, acknowledged, tried again later, dead, given back or lost. */
export class Attempts {
  readonly counts = { handled: 0, failed: 0, dead: 0, lost: 0 };
  readonly #parts: Parts;
  readonly #crashes: number;

  constructor(parts: Parts) {
    this.#parts = parts;
    const countsCrashes = parts.driver.capabilities.crashCount === true;
    this.#crashes = countsCrashes ? (parts.settings.crashes ?? defaultCrashes) : Infinity;
  }

  /** The payload of a message that may be handled; undefined when it was settled instead, or is lost. Never rejects. */
  async admit(running: Running): Promise<{ readonly payload: unknown } | undefined> {
    const { delivery } = running;
    try {
      const crashes = delivery.deliveries - 1 - running.failures;
      if (crashes > this.#crashes) {
        const reason = `its process died, or its lease ended, ${crashes} times while it was handled`;
        await this.#bury(running, reason, false);
      } else if (this.#isTooNew(delivery.headers)) {
        await this.giveBack(running, newerWorkerMs);
      } else {
        return { payload: await this.#payload(running) };
      }
    } catch (error) {
      await this.failed(running, error);
    }
    return undefined;
  }

  /** Never rejects. */
  async succeeded(running: Running, result: unknown): Promise<void> {
    try {
      const keeps = this.#parts.settings.results && result !== undefined;
      const options = keeps ? { result: encode(running.topic, result) } : undefined;
      await settle(() => running.delivery.ack(options), this.#patience(running));
    } catch (error) {
      if (error instanceof InvalidPayloadError) await this.failed(running, error);
      else this.#lost(running, error);
      return;
    }
    this.counts.handled++;
    if (channels.handled.hasSubscribers) {
      const durationMs = this.#parts.clock.now() - running.startedAt;
      channels.handled.publish({ ...this.#facts(running), durationMs });
    }
  }

  /** Tried again later, or dead; given back when it was ended by us. Never rejects. */
  async failed(running: Running, error: unknown): Promise<void> {
    try {
      await this.#failed(running, error);
    } catch (unsettled) {
      this.#lost(running, unsettled);
    }
  }

  /** Without a charge. Never rejects. */
  async giveBack(running: Running, requeueAfterMs = 0): Promise<void> {
    try {
      await this.#nack(running, { requeueAfterMs, charge: false });
    } catch (error) {
      this.#lost(running, error);
    }
  }

  #payload({ topic, delivery }: Running): unknown {
    const payload = decode(topic, delivery.body, delivery.headers);
    const { types } = this.#parts;
    return types.checks ? types.check(topic, payload) : payload;
  }

  async #failed(running: Running, error: unknown): Promise<void> {
    if (error instanceof DeliveryLostError && running.abortReason === error) throw error;
    // Ended by us, not by itself
    if (running.abortReason instanceof DrainTimeoutError) {
      return await this.giveBack(running);
    }
    if (error instanceof OnceUnavailableError) return await this.giveBack(running, onceAgainMs);
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
