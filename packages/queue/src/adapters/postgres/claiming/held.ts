import { type AckOptions, type Delivery, type NackOptions, outcomeOf } from '../../../driver.ts';
import { DeliveryLostError } from '../../../errors.ts';
import { unpacked, usualContentType } from '../headers.ts';
import type { Settler } from '../settling/settler.ts';
import type { Taken } from './claims.ts';

/** When a lease ends unless it is extended, by the clock of this process. */
export interface Lease {
  /** At the latest. */
  readonly endsAt: number;
  /** At the earliest. */
  readonly isOursUntil: number;
}

/** What settles the messages of a topic, and who is to know that they are settled. */
export interface Holder {
  readonly topic: string;
  readonly settler: Settler;
  drop(held: Held): void;
}

/** A message in the hands of a consumer. */
export class Held implements Delivery {
  readonly id: string;
  readonly body: Uint8Array;
  readonly key: string | undefined;
  readonly deliveries: number;
  readonly failures: number;
  readonly seq: string;
  readonly token: number;
  /** When its lease ends at the latest. */
  endsAt: number;
  #isOursUntil: number;
  readonly #holder: Holder;
  readonly #packed: string;
  #headers: Readonly<Record<string, string>> | undefined;
  #isSettled = false;
  /** The last attempt to settle it. */
  #settling: Promise<void> | undefined;
  /** Whether an attempt to settle it so was not answered. */
  #doubts: { ack: boolean; nack: boolean } | undefined;

  constructor(taken: Taken, body: Uint8Array, token: number, lease: Lease, holder: Holder) {
    const [seq, id, lane, headers, deliveries, failures] = taken;
    this.id = id;
    this.body = body;
    this.key = lane === '' ? undefined : lane.slice(1);
    this.deliveries = deliveries;
    this.failures = failures;
    this.seq = seq;
    this.token = token;
    this.endsAt = lease.endsAt;
    this.#isOursUntil = lease.isOursUntil;
    this.#packed = headers;
    this.#holder = holder;
  }

  /** Unpacked when they are asked for. */
  get headers(): Readonly<Record<string, string>> {
    const { id, key } = this;
    this.#headers ??= unpacked(this.#packed, { id, topic: this.#holder.topic, key });
    return this.#headers;
  }

  get contentType(): string | undefined {
    return usualContentType(this.#packed);
  }

  async ack(options?: AckOptions): Promise<void> {
    if (this.#isSettled) return;
    const { settler } = this.#holder;
    const result = options?.result;
    await this.#settle('ack', result === undefined ? settler.ack(this) : settler.ackWith(this, result));
  }

  async nack(options: NackOptions): Promise<void> {
    if (!this.#isSettled) await this.#settle('nack', this.#holder.settler.nack(this, options));
  }

  async extend(ms: number): Promise<void> {
    if (this.#isSettled) return;
    const sentAt = performance.now();
    await this.#held(this.#holder.settler.extend(this, ms));
    this.endsAt = sentAt + ms;
    this.#isOursUntil = this.endsAt;
  }

  async progress(value: Uint8Array): Promise<void> {
    if (!this.#isSettled) await this.#held(this.#holder.settler.progress(this, value));
  }

  /** What settles it, on another connection, may overtake what was asked before. */
  async #held(asked: Promise<void>): Promise<void> {
    try {
      await asked;
    } catch (error) {
      if (!(error instanceof DeliveryLostError)) throw error;
      await this.#settling?.catch(() => {});
      if (!this.#isSettled) throw error;
    }
  }

  #settle(kind: 'ack' | 'nack', settling: Promise<void>): Promise<void> {
    this.#settling = this.#settled(kind, settling);
    return this.#settling;
  }

  async #settled(kind: 'ack' | 'nack', settling: Promise<void>): Promise<void> {
    try {
      await settling;
    } catch (error) {
      const isLost = error instanceof DeliveryLostError;
      // Nobody else can have had it yet, so the attempt before has settled it
      const wasSettled = isLost && this.#doubts?.[kind] && performance.now() < this.#isOursUntil;
      if (!wasSettled) {
        if (isLost) this.#holder.drop(this);
        else if (outcomeOf(error) === 'Unknown') {
          this.#doubts ??= { ack: false, nack: false };
          this.#doubts[kind] = true;
        }
        throw error;
      }
    }
    this.#isSettled = true;
    this.#holder.drop(this);
  }
}
