import type { Channel, ConsumeMessage } from 'amqplib';
import type { Delivery, NackOptions } from '../../../driver.ts';
import { DeliveryLostError, InvalidPayloadError } from '../../../errors.ts';
import type { QueueType } from '../options.ts';
import { returnsOf, type Stored } from '../wire.ts';

/** What becomes of a copy of the message, stored before the delivery is acknowledged. */
export type Next =
  | { readonly deliveries: number; readonly failures: number; readonly afterMs: number }
  | { readonly deliveries: number; readonly failures: number; readonly dead: string };

export interface HeldParts {
  readonly queueType: QueueType;
  /** Stores the copy and resolves when RabbitMQ has confirmed it. */
  store(message: Stored, next: Next): Promise<void>;
}

/** A message in hands: unacknowledged on its channel. */
export class Held implements Delivery {
  isLost = false;
  readonly #message: ConsumeMessage;
  readonly #stored: Stored;
  readonly #channel: Channel;
  readonly #parts: HeldParts;
  readonly #done: () => void;
  #isSettled = false;

  constructor(message: ConsumeMessage, stored: Stored, channel: Channel, parts: HeldParts, done: () => void) {
    this.#message = message;
    this.#stored = stored;
    this.#channel = channel;
    this.#parts = parts;
    this.#done = done;
  }

  get id(): string {
    return this.#stored.id;
  }

  get body(): Uint8Array {
    return this.#stored.body;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#stored.headers;
  }

  get contentType(): string | undefined {
    return this.#stored.contentType;
  }

  get key(): string | undefined {
    return this.#stored.key;
  }

  get deliveries(): number {
    return this.#stored.deliveries + returnsOf(this.#message, this.#parts.queueType) + 1;
  }

  get failures(): number {
    return this.#stored.failures;
  }

  async ack(): Promise<void> {
    if (!this.#isSettled) this.#acknowledge();
  }

  async nack({ requeueAfterMs = 0, dead, charge = true }: NackOptions): Promise<void> {
    if (this.#isSettled) return;
    if (this.isLost) throw new DeliveryLostError(this.id);
    const failures = this.failures + (charge ? 1 : 0);
    const deliveries = this.deliveries - (charge || dead !== undefined ? 0 : 1);
    const counts = { deliveries, failures };
    const next = dead === undefined ? { ...counts, afterMs: requeueAfterMs } : { ...counts, dead };
    try {
      // The copy first: a crash in between makes two of one, and never none
      await this.#parts.store(this.#stored, next);
    } catch (error) {
      if (!(error instanceof InvalidPayloadError)) throw error;
      // No longer taken as large as it is: RabbitMQ moves it to the dead letters itself
      return this.#settle(channel => channel.reject(this.#message, false));
    }
    this.#acknowledge();
  }

  async extend(): Promise<void> {
    if (!this.#isSettled && this.isLost) throw new DeliveryLostError(this.id);
  }

  #acknowledge(): void {
    this.#settle(channel => channel.ack(this.#message));
  }

  #settle(say: (channel: Channel) => void): void {
    if (this.isLost) throw new DeliveryLostError(this.id);
    try {
      say(this.#channel);
    } catch {
      this.isLost = true;
      throw new DeliveryLostError(this.id);
    }
    this.#isSettled = true;
    this.#done();
  }
}
