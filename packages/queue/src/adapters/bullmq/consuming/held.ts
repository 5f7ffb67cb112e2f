import type { AckOptions, Delivery, NackOptions } from '../../../driver.ts';
import type { BullJob } from '../library.ts';
import { messageIdOf } from '../names.ts';
import { type Received, received } from '../wire.ts';

/** What a delivery asks of its consumer. */
export interface Settling {
  ack(held: Held, options: AckOptions): Promise<void>;
  nack(held: Held, options: NackOptions): Promise<void>;
  extend(held: Held, ms: number): Promise<void>;
  progress(held: Held, value: Uint8Array): Promise<void>;
}

/** A job in the hands of one consumer. */
export class Held implements Delivery {
  readonly job: BullJob;
  /** The value of its lock: no other delivery of the job has the same. */
  readonly token: string;
  readonly received: Received;
  /** When its lease ends unless it is extended, by the clock of this process. */
  endsAt: number;
  /** Settling it had no answer, and may have been done. */
  mayBeSettled = false;
  #isSettled = false;
  readonly #settling: Settling;

  constructor(job: BullJob, token: string, endsAt: number, settling: Settling) {
    this.job = job;
    this.token = token;
    this.endsAt = endsAt;
    this.received = received(job, messageIdOf(job.id!));
    this.#settling = settling;
  }

  get jobId(): string {
    return this.job.id!;
  }

  get id(): string {
    return messageIdOf(this.jobId);
  }

  get body(): Uint8Array {
    return this.received.body;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.received.headers;
  }

  get key(): string | undefined {
    return this.received.key;
  }

  get deliveries(): number {
    return this.job.attemptsStarted;
  }

  get failures(): number {
    return this.job.attemptsMade;
  }

  ack(options: AckOptions = {}): Promise<void> {
    return this.#settle(() => this.#settling.ack(this, options));
  }

  nack(options: NackOptions): Promise<void> {
    return this.#settle(() => this.#settling.nack(this, options));
  }

  async extend(ms: number): Promise<void> {
    if (!this.#isSettled) await this.#settling.extend(this, ms);
  }

  progress(value: Uint8Array): Promise<void> {
    return this.#settling.progress(this, value);
  }

  async #settle(how: () => Promise<void>): Promise<void> {
    if (this.#isSettled) return;
    await how();
    this.#isSettled = true;
  }
}
