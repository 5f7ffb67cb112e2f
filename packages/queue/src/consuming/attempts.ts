import { Backoff, type Clock, describe, type Random } from '@ashlar/core';
import { channels } from '../diagnostics.ts';
import type { Delivery, Driver, NackOptions } from '../driver.ts';
import {
  DeliveryLostError,
  DoNotRetryError,
  DrainTimeoutError,
  IdempotencyConflictError,
  InvalidPayloadError,
  OnceUnavailableError,
} from '../errors.ts';
import { decode, keptBytes, versionHeader } from '../messages/envelope.ts';
import type { MessageTypes } from '../messages/messages.ts';
import { type CallLimits, called } from './calling.ts';
import type { Running } from './context.ts';
import type { Settings } from './options.ts';
import { type Patience, settle, settleAgain } from './settle.ts';

interface Parts {
  readonly queue: string;
  readonly driver: Driver;
  readonly types: MessageTypes;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: CallLimits;
}

/** A message that may be handled. */
export interface Admission {
  readonly payload: unknown;
}

/** Errors that another attempt would meet again. */
const hopeless = [DoNotRetryError, InvalidPayloadError, IdempotencyConflictError];
/** How often a process may die under a message, where the backend can count that. */
const defaultCrashes = 5;
/** Milliseconds until a message of a newer version is offered again, to this or a newer worker. */
const newerWorkerMs = 5_000;
/** Milliseconds until a message is offered again whose idempotency record could not be read or written. */
const onceAgainMs = 1_000;
/** Milliseconds that `retryIf` has to answer. */
const retryIfMs = 10_000;
const maxReasonLength = 1_000;

/** What becomes of messages: handled, acknowledged, tried again later, dead, given back or lost. */
export class Attempts {
  readonly counts = { handled: 0, failed: 0, dead: 0, lost: 0, resultsDropped: 0 };
  readonly #parts: Parts;
  readonly #crashes: number;

  constructor(parts: Parts) {
    this.#parts = parts;
    const countsCrashes = parts.driver.capabilities.crashCount === true;
    this.#crashes = countsCrashes ? (parts.settings.crashes ?? defaultCrashes) : Infinity;
  }

  /**
   * The payload of a message that may be handled; undefined when it was settled instead, or is lost. At once where nothing
   * is to be waited for. Never rejects.
   */
  admit(running: Running): Admission | Promise<Admission | undefined> {
    const { delivery, topic } = running;
    try {
      const crashes = delivery.deliveries - 1 - running.failures;
      if (crashes > this.#crashes) return nothing(this.#buryCrashed(running, crashes));
      if (this.#isTooNew(delivery)) return nothing(this.giveBack(running, newerWorkerMs));
      const contentType = delivery.contentType ?? delivery.headers['content-type'];
      const payload = decode(topic, delivery.body, contentType);
      return this.#parts.types.checks ? this.#checked(running, payload) : { payload };
    } catch (error) {
      return nothing(this.failed(running, error));
    }
  }

  /** Never rejects. */
  async succeeded(running: Running, result: unknown): Promise<void> {
    try {
      const kept = this.#kept(running, result);
      const options = kept && { result: kept };
      try {
        await running.delivery.ack(options);
      } catch (error) {
        await settleAgain(() => running.delivery.ack(options), this.#patience(running), error);
      }
    } catch (error) {
      return this.#lost(running, error);
    }
    this.counts.handled++;
    if (channels.handled.hasSubscribers) {
      const durationMs = this.#parts.clock.now() - running.startedAt;
      channels.handled.publish({ ...this.#facts(running), durationMs });
    }
  }

  /** The result, or undefined when it cannot be kept, which is reported. */
  keepable(running: Running, result: unknown): unknown {
    return this.#kept(running, result) && result;
  }

  /** Tried again later, or dead; given back when it was ended by us. Never rejects. */
  async failed(running: Running, error: unknown): Promise<void> {
    try {
      await this.#failed(running, readable(error));
    } catch (unsettled) {
      if (unsettled instanceof DrainTimeoutError) await this.giveBack(running);
      else this.#lost(running, unsettled);
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

  /** A result without a JSON form is dropped: the effect of the handler has happened, and another attempt would repeat it. */
  #kept(running: Running, result: unknown): Uint8Array | undefined {
    if (!this.#parts.settings.results || result === undefined) return undefined;
    try {
      return keptBytes(running.topic, result);
    } catch (error) {
      this.counts.resultsDropped++;
      if (channels.resultDropped.hasSubscribers) {
        channels.resultDropped.publish({ ...this.#facts(running), error });
      }
      return undefined;
    }
  }

  /** Never rejects. */
  async #checked(running: Running, given: unknown): Promise<Admission | undefined> {
    const { types, limits } = this.#parts;
    try {
      const check = called([running], limits, () => types.check(running.topic, given));
      return { payload: await running.untilAbort(check) };
    } catch (error) {
      return nothing(this.failed(running, error));
    }
  }

  /** Never rejects. */
  async #buryCrashed(running: Running, crashes: number): Promise<void> {
    try {
      const reason = `its process died, or its lease ended, ${crashes} times while it was handled`;
      await this.#bury(running, reason, false);
    } catch (error) {
      await this.failed(running, error);
    }
  }

  async #failed(running: Running, error: unknown): Promise<void> {
    if (error instanceof DeliveryLostError && running.abortReason === error) throw error;
    // Ended by us, not by itself
    if (running.abortReason instanceof DrainTimeoutError) {
      return await this.giveBack(running);
    }
    if (error instanceof OnceUnavailableError) return await this.#postpone(running, error);
    const durationMs = this.#parts.clock.now() - running.startedAt;
    const { retryInMs, ...asked } = await this.#verdict(running, error);
    this.counts.failed++;
    if (channels.failed.hasSubscribers) {
      const retry = retryInMs !== undefined && { retryInMs };
      channels.failed.publish({ ...this.#facts(running), durationMs, error, ...retry, ...asked });
    }
    if (retryInMs === undefined) await this.#bury(running, reasonOf(error), true);
    else await this.#nack(running, { requeueAfterMs: retryInMs });
  }

  /** `retryInMs` is undefined when the message is dead. */
  async #verdict(
    running: Running,
    error: unknown,
  ): Promise<{ readonly retryInMs?: number; readonly retryIfError?: unknown }> {
    const { attempts, backoff } = this.#parts.settings;
    const failures = running.failures + 1;
    if (failures >= attempts || hopeless.some(type => error instanceof type)) return {};
    const asked = await this.#ask(running, error);
    if (asked === false) return {};
    const retryInMs = Math.round(new Backoff(backoff, this.#parts.random, failures - 1).nextMs());
    return { retryInMs, ...asked };
  }

  /** What `retryIf` says. One that fails, or does not answer, has not said no. */
  async #ask(running: Running, error: unknown): Promise<false | { readonly retryIfError?: unknown }> {
    const { settings, clock } = this.#parts;
    const late = new AbortController();
    try {
      const answer = settings.retryIf?.(error);
      if (typeof answer !== 'object' || answer === null) return answer === false ? false : {};
      const answered = Promise.race([answer, clock.sleep(retryIfMs, late.signal)]);
      // Of one that was aborted before, such as by its time limit, only the answer is left to wait for
      const said = running.abortReason ? await answered : await running.untilAbort(answered);
      return said === false ? false : {};
    } catch (retryIfError) {
      if (retryIfError === running.abortReason) throw retryIfError;
      return { retryIfError };
    } finally {
      late.abort();
    }
  }

  /** Without a charge: its record could not be read or written. */
  async #postpone(running: Running, error: OnceUnavailableError): Promise<void> {
    const retryInMs = onceAgainMs;
    if (channels.postponed.hasSubscribers) {
      channels.postponed.publish({ ...this.#facts(running), error, retryInMs });
    }
    await this.giveBack(running, retryInMs);
  }

  #isTooNew(delivery: Delivery): boolean {
    const { version } = this.#parts.settings;
    return version !== undefined && Number(delivery.headers[versionHeader]) > version;
  }

  async #bury(running: Running, reason: string, charge: boolean): Promise<void> {
    await this.#nack(running, { dead: reason, charge });
    this.counts.dead++;
    if (channels.dead.hasSubscribers) channels.dead.publish({ ...this.#facts(running), reason });
  }

  async #nack(running: Running, options: NackOptions): Promise<void> {
    await settle(() => running.delivery.nack(options), this.#patience(running));
  }

  #patience({ leaseEndsAt }: Running): Patience {
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

async function nothing(done: Promise<void>): Promise<undefined> {
  await done;
}

/** What is thrown may be anything, such as an error whose `message` throws; nothing that it does may keep a message unsettled. */
function readable(error: unknown): unknown {
  try {
    reasonOf(error);
    return error;
  } catch {
    return new Error('what the handler threw cannot be read');
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : describe(error);
  return text.slice(0, maxReasonLength);
}
