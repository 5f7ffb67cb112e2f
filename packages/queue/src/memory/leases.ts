import type { Clock } from '@ashlar/core';
import type { AckOptions, Delivery, NackOptions } from '../driver.ts';
import { DeliveryLostError } from '../errors.ts';
import type { Consumer } from './consumer.ts';
import type { Stored } from './ready.ts';

/** What becomes of a message when its delivery is settled. The lease is known to hold. */
interface Settling {
  ack(held: Held, options: AckOptions | undefined): void;
  nack(held: Held, options: NackOptions): void;
  /** Its lease has another end. */
  extended(): void;
}

/** The messages of a group that are in hands, each with the end of its lease. */
export class Leases {
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #settling: Settling;
  readonly #held = new Set<Held>();
  #noneEndsBefore = Infinity;

  constructor(clock: Clock, leaseMs: number, settling: Settling) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#settling = settling;
  }

  /** No lease ends sooner; some may have been extended since. */
  get noneEndsBefore(): number {
    return this.#noneEndsBefore;
  }

  get items(): Stored[] {
    return [...this.#held].map(({ item }) => item);
  }

  give(item: Stored, consumer: Consumer): Held {
    const held = new Held(item, consumer, this.#clock.now() + this.#leaseMs, this, this.#settling);
    this.#held.add(held);
    this.#noneEndsBefore = Math.min(this.#noneEndsBefore, held.endsAt);
    return held;
  }

  /** The time of the check. @throws DeliveryLostError */
  check(held: Held): number {
    const now = this.#clock.now();
    if (this.#held.has(held) && held.endsAt > now) return now;
    throw new DeliveryLostError(held.item.id);
  }

  release(held: Held): void {
    this.#held.delete(held);
    held.consumer.settled();
  }

  of(item: Stored): Held | undefined {
    for (const held of this.#held) if (held.item === item) return held;
    return undefined;
  }

  /** Those whose time is over. */
  expired(now: number): readonly Held[] {
    if (this.#noneEndsBefore > now) return [];
    this.#noneEndsBefore = Infinity;
    const over: Held[] = [];
    for (const held of this.#held) {
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
  readonly consumer: Consumer;
  endsAt: number;
  readonly deliveries: number;
  readonly failures: number;
  readonly #leases: Leases;
  readonly #settling: Settling;
  #isSettled = false;

  constructor(item: Stored, consumer: Consumer, endsAt: number, leases: Leases, settling: Settling) {
    this.item = item;
    this.consumer = consumer;
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
    return this.#do(() => {
      this.#settling.ack(this, options);
      this.#isSettled = true;
    });
  }

  nack(options: NackOptions): Promise<void> {
    return this.#do(() => {
      this.#settling.nack(this, options);
      this.#isSettled = true;
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
      this.item.progress = value;
    });
  }

  #do(what: (now: number) => void): Promise<void> {
    if (this.#isSettled) return done;
    try {
      what(this.#leases.check(this));
      return done;
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
