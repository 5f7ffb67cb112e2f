import { abortable } from '@ashlar/core';
import { Alarm } from './alarm.ts';
import { channels, type LeaseEndedMessage } from './diagnostics.ts';
import { LeaseLostError, StoreUnavailableError } from './errors.ts';
import type { FencingToken } from './fencing.ts';
import { type AcquireOptions, type LeaseOptions, type Terms, termsOf } from './lease-terms.ts';
import type { Claim, Store } from './store.ts';

export interface LeaseSnapshot {
  readonly lease: string;
  readonly holder: string;
  readonly token: string;
  readonly state: 'held' | LeaseLostError['reason'];
  /** How long it is held for sure without another renewal. */
  readonly remainingMs: number;
}

/**
 * A name held through a store's claim, renewed after a third of `ttlMs`, give or take a tenth.
 *
 * It is held for sure until `ttlMs` less a margin (a twentieth of it, at least 10 ms) has passed on this machine's
 * monotonic clock since the last renewal that was confirmed was *sent*. While the event loop runs, and the store loses
 * nothing and its clock does not step, `signal` aborts before another can hold the name. A process or machine that
 * stands still, or a blocked loop, learns of the loss too late: then only a sink that compares the token protects.
 */
export class Lease implements AsyncDisposable, FencingToken {
  readonly name: string;
  /** Unique for each lease. Sinks compare it with the token. */
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
   * Waits until the name is free, asking again and again.
   *
   * Rejects with the signal's reason when that aborts, and with the store's error when the first question fails; an
   * outage later, while waiting, is waited out. Where a question may have been executed whose answer is lost, the name
   * may stay taken for `ttlMs`.
   */
  static async acquire(store: Store, name: string, options: AcquireOptions): Promise<Lease> {
    const terms = termsOf(store, name, options);
    const { waiting, retryMs, random, signal } = terms;
    const startedAt = waiting.now();
    for (let isAnswered = false; ; ) {
      try {
        const lease = await Lease.#attempt(terms, startedAt);
        if (lease !== undefined) return lease;
        isAnswered = true;
      } catch (error) {
        if (!isAnswered || !(error instanceof StoreUnavailableError)) throw error;
      }
      await waiting.sleep(retryMs * (0.5 + random()), signal);
    }
  }

  /** Asks once: undefined while another holds the name. Rejects with the store's error. */
  static async tryAcquire(store: Store, name: string, options: LeaseOptions): Promise<Lease | undefined> {
    const terms = termsOf(store, name, options);
    return Lease.#attempt(terms, terms.waiting.now());
  }

  /** One question to the store; a lease only when the answer leaves time to hold it. */
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
    this.#keep().catch(() => {}); // it ends with the lease
  }

  /** Aborts when the lease ends, with a LeaseLostError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Right also just after a stall, when `signal` has not yet had its chance. @throws LeaseLostError */
  assertHeld(): void {
    if (this.#terms.holding.now() >= this.#heldUntil) this.#lose('expired');
    if (this.#ended !== undefined) throw new LeaseLostError(this.name, this.token, this.#ended);
  }

  /**
   * Ends the lease and frees the name. Repeatable. Rejects with the store's error when that could not be told: the
   * name is then free when its time is over.
   */
  release(): Promise<void> {
    this.#lose('released');
    this.#releasing ??= this.#free().catch((error: unknown) => {
      this.#releasing = undefined;
      throw error;
    });
    return this.#releasing;
  }

  /** As `release`, but leaves the name to its time when the store cannot be told. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch((error: unknown) => {
      if (!(error instanceof StoreUnavailableError)) throw error;
    });
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
        error => this.#told(error),
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
    // nobody had the name, so this was a new claim, of which nobody knows
    if (claim !== undefined) await store.release(name, claim.token);
  }

  #told(error: unknown): false {
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
    await this.#renewing; // or it might claim the name after it was freed
    await this.#terms.store.release(this.name, this.token);
  }
}

function heldUntil({ ttlMs, marginMs }: Terms, claim: Claim, sentAt: number): number {
  return sentAt + Math.min(ttlMs, claim.remainingMs) - marginMs;
}
