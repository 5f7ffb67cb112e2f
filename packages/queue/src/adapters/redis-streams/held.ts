import type { AckOptions, Delivery, NackOptions } from '../../driver.ts';
import { DeliveryLostError } from '../../errors.ts';
import type { Settler } from './settler.ts';
import type { Fetched } from './wire.ts';

/** Who has deliveries in hands. */
export interface Holder {
  /** A delivery is settled, or lost; whether it comes again by what was done. */
  settled(held: Held, comesAgain: boolean): void;
}

/** How many leases that have ended a consumer remembers. */
const maxEnded = 1_000;

/** What one consumer has handed out and not settled. */
export class Hands {
  /** By their references. */
  readonly #held = new Map<string, Held>();
  /** The references of those whose leases have ended: another delivery of them is counted. */
  readonly #ended = new Set<string>();

  get size(): number {
    return this.#held.size;
  }

  /** The references of all that the server may still think to be in these hands. */
  get known(): readonly string[] {
    return [...this.#held.keys(), ...this.#ended];
  }

  take(held: Held): void {
    this.#held.set(held.ref, held);
    this.#ended.delete(held.ref);
  }

  drop(held: Held): void {
    // After its lease has ended, the same entry may be here again
    if (this.#held.get(held.ref) === held) this.#held.delete(held.ref);
  }

  /** Drops those that nobody has settled or extended in time: they are in other hands, or soon. */
  dropLost(now: number): void {
    for (const held of this.#held.values()) {
      if (held.endsAt > now) continue;
      this.#ended.add(held.ref);
      this.drop(held);
    }
    for (const ref of this.#ended) {
      if (this.#ended.size <= maxEnded) break;
      this.#ended.delete(ref);
    }
  }
}

/** A message in the hands of one consumer. */
export class Held implements Delivery {
  readonly #message: Fetched;
  /** When its lease ends unless it is extended, by the clock of this process. */
  endsAt: number;
  readonly #settler: Settler;
  readonly #holder: Holder;
  #isSettled = false;

  constructor(message: Fetched, settler: Settler, holder: Holder, endsAt: number) {
    this.#message = message;
    this.#settler = settler;
    this.#holder = holder;
    this.endsAt = endsAt;
  }

  get ref(): string {
    return this.#message.ref;
  }

  get id(): string {
    return this.#message.id;
  }

  get body(): Uint8Array {
    return this.#message.body;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#message.headers;
  }

  get contentType(): string | undefined {
    return this.#message.contentType;
  }

  get key(): string | undefined {
    return this.#message.key;
  }

  get deliveries(): number {
    return this.#message.deliveries + this.#message.count;
  }

  get failures(): number {
    return this.#message.failures;
  }

  ack({ result }: AckOptions = {}): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    if (result !== undefined) return this.#settle(() => this.#settler.finish(this.#message, result));
    const isSurelyHeld = performance.now() < this.endsAt;
    return this.#settler.ack(this.#message, isSurelyHeld, isHeld => {
      this.#isSettled = isHeld;
      this.#holder.settled(this, false);
    });
  }

  nack(options: NackOptions): Promise<void> {
    const comesAgain = options.dead === undefined;
    return this.#settle(() => this.#settler.nack(this.#message, options), comesAgain);
  }

  async progress(value: Uint8Array): Promise<void> {
    if (!this.#isSettled) await this.#settler.progress(this.#message, value);
  }

  async extend(ms: number): Promise<void> {
    if (this.#isSettled) return;
    const { leaseMs } = this.#settler;
    const sentAt = performance.now();
    await this.#settler.extend(this.#message, ms);
    this.endsAt = sentAt + Math.min(ms, leaseMs);
  }

  async #settle(how: () => Promise<void>, comesAgain = false): Promise<void> {
    if (this.#isSettled) return;
    try {
      await how();
    } catch (error) {
      if (error instanceof DeliveryLostError) this.#holder.settled(this, false);
      throw error;
    }
    this.#isSettled = true;
    this.#holder.settled(this, comesAgain);
  }
}
