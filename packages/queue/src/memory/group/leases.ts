import type { Clock } from '@ashlar/core';
import type { AckOptions, Delivery, NackOptions } from '../../driver.ts';
import { DeliveryLostError } from '../../errors.ts';
import type { Consumer } from './consumer.ts';
import type { Stored } from './stored.ts';

/** What becomes of a message when its delivery is settled. The lease is known to hold. */
interface LeaseEvents {
  ack(held: Held, options: AckOptions | undefined, now: number): void;
  nack(held: Held, options: NackOptions, now: number): void;
  /** Its lease has another end. */
  extended(): void;
  progress(item: Stored, value: Uint8Array): void;
  /** Resolves when what was settled is kept; absent when nothing is. */
  readonly kept?: (() => Promise<void>) | undefined;
  /** After that its consumer has a place again. */
  freed(held: Held): void;
}

/** Numbers of deliveries, each of its own in the whole driver. */
export interface Receipts {
  last: number;
}

/** The messages of a group that are in hands, each with the end of its lease. */
export class Leases {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #receipts: Receipts;
  readonly #settling: LeaseEvents;
  readonly #held = new Map<number, Held>();
  #noneEndsBefore = Infinity;

  constructor(clock: Clock, leaseMs: number, receipts: Receipts, settling: LeaseEvents) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#receipts = receipts;
    this.#settling = settling;
  }

  /** No lease ends sooner; some may have been extended since. */
  get noneEndsBefore(): number {
    return this.#noneEndsBefore;
  }

  get items(): Stored[] {
    return [...this.#held.values()].map(({ item }) => item);
  }

  get receipts(): Map<Stored, number> {
    return new Map([...this.#held.values()].map(({ item, receipt }) => [item, receipt]));
  }

  /** @param consumer absent when it was given in an earlier life, with the receipt of that time */
  give(
    item: Stored,
    now: number,
    consumer: Consumer | undefined,
    receipt: number = ++this.#receipts.last,
  ): Held {
    const endsAt = now + this.#leaseMs;
    const held = new Held(item, consumer, receipt, endsAt, this, this.#settling);
    this.#held.set(receipt, held);
    if (endsAt < this.#noneEndsBefore) this.#noneEndsBefore = endsAt;
    return held;
  }

  /** The time of the check. @throws DeliveryLostError */
  check(held: Held): number {
    const now = this.#clock.now();
    if (held.isHeld && held.endsAt > now) return now;
    throw new DeliveryLostError(held.item.id);
  }

  release(held: Held): void {
    held.isHeld = false;
    this.#held.delete(held.receipt);
    // While it is not kept what became of it, it takes its place
    if (!held.isSettled || this.#settling.kept === undefined) held.consumer?.settled();
  }

  get(receipt: number): Held | undefined {
    return this.#held.get(receipt);
  }

  of(item: Stored): Held | undefined {
    for (const held of this.#held.values()) if (held.item === item) return held;
    return undefined;
  }

  /** Those whose time is over. */
  expired(now: number): readonly Held[] {
    if (this.#noneEndsBefore > now) return [];
    this.#noneEndsBefore = Infinity;
    const over: Held[] = [];
    for (const held of this.#held.values()) {
      if (held.endsAt <= now) over.push(held);
      else this.#noneEndsBefore = Math.min(this.#noneEndsBefore, held.endsAt);
    }
    return over;
  }
}

const done = Promise.resolve();

/** A message in the hands of a consumer. */
export class Held implements Delivery {
  readonly item: Stored;
  readonly consumer: Consumer | undefined;
  readonly receipt: number;
  endsAt: number;
  readonly deliveries: number;
  readonly failures: number;
  readonly #leases: Leases;
  readonly #settling: LeaseEvents;
  isSettled = false;
  /** Whether the group knows it as in hands. */
  isHeld = true;

  constructor(
    item: Stored,
    consumer: Consumer | undefined,
    receipt: number,
    endsAt: number,
    leases: Leases,
    settling: LeaseEvents,
  ) {
    this.item = item;
    this.consumer = consumer;
    this.receipt = receipt;
    this.endsAt = endsAt;
    this.deliveries = item.deliveries;
    this.failures = item.failures;
    this.#leases = leases;
    this.#settling = settling;
  }

  get id(): string {
    return this.item.id;
  }

  get body(): Uint8Array {
    return this.item.body;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.item.headers;
  }

  get key(): string | undefined {
    return this.item.key;
  }

  ack(options?: AckOptions): Promise<void> {
    return this.#do(now => {
      this.isSettled = true;
      this.#settling.ack(this, options, now);
    });
  }

  nack(options: NackOptions): Promise<void> {
    return this.#do(now => {
      this.isSettled = true;
      this.#settling.nack(this, options, now);
    });
  }

  extend(ms: number): Promise<void> {
    return this.#do(now => {
      this.endsAt = now + ms;
      this.#settling.extended();
    });
  }

  progress(value: Uint8Array): Promise<void> {
    return this.#do(() => {
      this.#settling.progress(this.item, value);
    });
  }

  #do(what: (now: number) => void): Promise<void> {
    if (this.isSettled) return done;
    try {
      what(this.#leases.check(this));
      if (!this.isSettled || this.#settling.kept === undefined) return done;
      return this.#settling.kept().finally(() => this.#settling.freed(this));
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
