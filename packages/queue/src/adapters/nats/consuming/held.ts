import type { Delivery, NackOptions } from '../../../driver.ts';
import { DeliveryLostError } from '../../../errors.ts';
import type { Receipt, Stored } from '../wire.ts';

/** What a delivery asks of its consumer. */
export interface Settling {
  ack(held: Held): Promise<void>;
  nack(held: Held, options: NackOptions): Promise<void>;
  extend(held: Held): Promise<void>;
  settled(held: Held): void;
}

/** A message in the hands of one consumer. */
export class Held implements Delivery {
  readonly stored: Stored;
  readonly receipt: Receipt;
  /** Where JetStream waits for its answer. */
  readonly reply: string;
  /**
   * When its lease ends unless it is extended, by the clock of this process. JetStream would take the answer of an earlier
   * delivery for that of a later one (nats-server#4786), so that nothing is sent after it.
   */
  endsAt: number;
  #isSettled = false;
  readonly #settling: Settling;

  constructor(stored: Stored, receipt: Receipt, reply: string, endsAt: number, settling: Settling) {
    this.stored = stored;
    this.receipt = receipt;
    this.reply = reply;
    this.endsAt = endsAt;
    this.#settling = settling;
  }

  get id(): string {
    return this.stored.id;
  }

  get body(): Uint8Array {
    return this.stored.body;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.stored.headers;
  }

  get contentType(): string | undefined {
    return this.stored.contentType;
  }

  get key(): string | undefined {
    return this.stored.key;
  }

  get deliveries(): number {
    return this.stored.deliveries + this.receipt.deliveries;
  }

  get failures(): number {
    return this.stored.failures;
  }

  ack(): Promise<void> {
    return this.#settle(() => this.#settling.ack(this));
  }

  nack(options: NackOptions): Promise<void> {
    return this.#settle(() => this.#settling.nack(this, options));
  }

  /** JetStream knows one length of leases: that of its consumer. */
  async extend(_ms: number): Promise<void> {
    if (this.#isSettled) return;
    this.#check();
    await this.#settling.extend(this);
  }

  async #settle(how: () => Promise<void>): Promise<void> {
    if (this.#isSettled) return;
    this.#check();
    await how();
    this.#isSettled = true;
    this.#settling.settled(this);
  }

  #check(): void {
    if (performance.now() < this.endsAt) return;
    this.#settling.settled(this);
    throw new DeliveryLostError(this.id);
  }
}
