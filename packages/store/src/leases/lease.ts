import { Alarm, abortable } from '@ashlar/core';
import { channels, type LeaseEndedMessage } from '../diagnostics.ts';
import { isRetryable, LeaseLostError } from '../errors.ts';
import type { Claim, Store } from '../store.ts';
import type { FencingToken } from './fencing.ts';
import {
  type AcquireOptions,
  acquireTerms,
  type LeaseOptions,
  type Terms,
  tryAcquireTerms,
} from './lease-options.ts';

export interface LeaseSnapshot {
  readonly lease: string;
  readonly holder: string;
  readonly token: string;
  readonly state: 'held' | LeaseLostError['reason'];
  /** Milliseconds for which it is held for sure without another renewal. */
  readonly remainingMs: number;
}

/**
 * A name held through a store's claim, renewed after a third of `ttlMs`, give or take a tenth.
 *
 * It is held for sure until `ttlMs` less a margin has passed on this machine's monotonic clock since the last confirmed
 * renewal was *sent*; the margin is a twentieth of `ttlMs`, at least 10 ms. While the event loop runs, and the store
 * loses nothing and its clock does not step, `signal` aborts before another can hold the name. A process or machine that
 * stops, or a blocked event loop, learns of the loss too late: then only a sink that compares the token protects.
 */
export class Lease implements AsyncDisposable, FencingToken {
  readonly name: string;
  /** Unique for each lease. A sink compares it together with the token. */
  readonly holder: string;
  readonly token: bigint;
  readonly #terms: Terms;
  readonly #controller = new AbortController();
  readonly #end: Alarm;
  #heldUntil: number;
  #ended: LeaseLostError['reason'] | undefined;
  #renewing: Promise<void> | undefined;
  #releasing: Promise<void> | undefined;

  /**
   * Waits until the name is free, and tries every `retryMs`.
   *
   * Rejects with the signal's reason when that aborts, and with the store's error when the first attempt fails. Later
   * attempts that fail with a `retryable` error are repeated. An attempt whose answer was lost may leave the name taken
   * for `ttlMs`.
   *
   * @throws InvalidOptionError, InvalidKeyError
   */
  static async acquire(store: Store, name: string, options: AcquireOptions): Promise<Lease> {
    const terms = acquireTerms(store, name, options);
    const { waiting, retryMs, random, signal } = terms;
    const startedAt = waiting.now();
    for (let isAnswered = false; ; ) {
      try {
        const lease = await Lease.#attempt(terms, startedAt);
        if (lease !== undefined) return lease;
        isAnswered = true;
      } catch (error) {
        if (!isAnswered || !isRetryable(error)) throw error;
      }
      await waiting.sleep(retryMs * (0.5 + random()), signal);
    }
  }

  /** Tries once: undefined while another holds the name. @throws the store's error, InvalidOptionError, InvalidKeyError */
  static async tryAcquire(store: Store, name: string, options: LeaseOptions): Promise<Lease | undefined> {
    const terms = tryAcquireTerms(store, name, options);
    return Lease.#attempt(terms, terms.waiting.now());
  }

  /** A lease only when the answer leaves time to hold it. */
  static async #attempt(terms: Terms, startedAt: number): Promise<Lease | undefined> {
    const { store, name, holder, ttlMs, above, signal, waiting } = terms;
    signal?.throwIfAborted();
    const sentAt = waiting.now();
    const claiming = store.claim(name, holder, ttlMs, above === undefined ? {} : { above });
    let claim: Claim | undefined;
    try {
      claim = await abortable(claiming, signal);
    } catch (error) {
      claiming.then(late => late && store.release(name, late.token)).catch(() => {});
      throw error;
    }
    if (claim === undefined) return undefined;
    if (waiting.now() >= heldUntil(terms, claim, sentAt)) {
      await store.release(name, claim.token);
      return undefined;
    }
    if (channels.leaseAcquired.hasSubscribers) {
      const waitedMs = waiting.now() - startedAt;
      channels.leaseAcquired.publish({ lease: name, holder, token: claim.token, waitedMs });
    }
    return new Lease(terms, claim, sentAt);
  }

  private constructor(terms: Terms, claim: Claim, sentAt: number) {
    this.#terms = terms;
    this.name = terms.name;
    this.holder = terms.holder;
    this.token = claim.token;
    this.#end = new Alarm(terms.holding, () => this.#lose('expired'));
    this.#heldUntil = heldUntil(terms, claim, sentAt);
    this.#end.set(this.#heldUntil);
    this.#keep().catch(() => {}); // It ends with the lease
  }

  /** Aborts when the lease ends, with a LeaseLostError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Also right just after a stall of the process, when `signal` has not aborted yet. @throws LeaseLostError */
  assertHeld(): void {
    if (this.#terms.holding.now() >= this.#heldUntil) this.#lose('expired');
    if (this.#ended !== undefined) throw new LeaseLostError(this.name, this.token, this.#ended);
  }

  /**
   * Ends the lease and frees the name. May be called again.
   *
   * Rejects with the store's error when the store did not confirm it: the name is then free when its time is over. Of a
   * lease that was lost before, a `retryable` error is left out, so that `finally { await lease.release() }` does not
   * hide the LeaseLostError.
   */
  async release(): Promise<void> {
    const isLost = this.#ended === 'expired' || this.#ended === 'taken';
    this.#lose('released');
    this.#releasing ??= this.#free().catch((error: unknown) => {
      this.#releasing = undefined;
      throw error;
    });
    try {
      await this.#releasing;
    } catch (error) {
      if (!isLost || !isRetryable(error)) throw error;
    }
  }

  /** As `release`, but leaves the name to its time when the store does not answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch (error) {
      if (!isRetryable(error)) throw error;
    }
  }

  snapshot(): LeaseSnapshot {
    const remainingMs =
      this.#ended === undefined ? Math.max(0, this.#heldUntil - this.#terms.holding.now()) : 0;
    const { name: lease, holder, token } = this;
    return { lease, holder, token: String(token), state: this.#ended ?? 'held', remainingMs };
  }

  async #keep(): Promise<void> {
    const { holding, ttlMs, random } = this.#terms;
    for (let isConfirmed = true; this.#ended === undefined; ) {
      const pauseMs = isConfirmed ? ttlMs / 3 : ttlMs / 20;
      await holding.sleep(pauseMs * (0.9 + 0.2 * random()), this.signal);
      const renewing = this.#renew();
      this.#renewing = renewing.then(
        () => {},
        () => {},
      );
      isConfirmed = await renewing.then(
        () => true,
        error => this.#publishFailure(error),
      );
    }
  }

  async #renew(): Promise<void> {
    const { store, name, holder, ttlMs, holding } = this.#terms;
    const sentAt = holding.now();
    const claim = await store.claim(name, holder, ttlMs);
    if (claim?.token === this.token) {
      this.#heldUntil = heldUntil(this.#terms, claim, sentAt);
      if (this.#ended === undefined) this.#end.set(this.#heldUntil);
      return;
    }
    this.#lose('taken');
    // The name was free, so this is a new claim, which no lease holds
    if (claim !== undefined) await store.release(name, claim.token);
  }

  #publishFailure(error: unknown): false {
    const { name: lease, holder, token } = this;
    const channel = channels.leaseRenewalFailed;
    if (channel.hasSubscribers) channel.publish({ lease, holder, token, error });
    return false;
  }

  #lose(reason: LeaseEndedMessage['reason']): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#end.clear();
    const { name: lease, holder, token } = this;
    if (channels.leaseEnded.hasSubscribers) channels.leaseEnded.publish({ lease, holder, token, reason });
    this.#controller.abort(new LeaseLostError(lease, token, reason));
  }

  async #free(): Promise<void> {
    await this.#renewing; // Or it might claim the name after it was freed
    await this.#terms.store.release(this.name, this.token);
  }
}

function heldUntil({ ttlMs, marginMs }: Terms, claim: Claim, sentAt: number): number {
  return sentAt + Math.min(ttlMs, claim.remainingMs) - marginMs;
}
