import type { Argument, Commands, Script } from '@ashlar/store/redis-connection';
import type { NackOptions } from '../../driver.ts';
import { DeliveryLostError } from '../../errors.ts';
import { ackScript, extendScript, finishScript, nackScript, progressScript } from './scripts/settle.ts';
import { bytesIn, type Fetched } from './wire.ts';

interface Waiting {
  readonly message: Fetched;
  readonly isSurelyHeld: boolean;
  /** Whether it was in these hands. */
  answered(isHeld: boolean): void;
  resolve(): void;
  reject(error: unknown): void;
}

interface Place {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly maxDead: number;
  /** Whether a key waits for what has failed of it. */
  readonly keepsOrder: boolean;
  readonly maxResults: number;
  /** How many deliveries the consumer holds at most. */
  readonly prefetch: number;
}

/** The most deliveries that one script settles, so that it does not hold up the server. */
const batchSize = 200;
/** The fewest that are worth a script of their own while others of the same turn follow. */
const leastEarly = 32;

/** Settles the deliveries of one consumer. What is acknowledged or extended in one turn of the event loop goes together. */
export class Settler {
  readonly #commands: Commands;
  readonly #place: Place;
  readonly #leaves: () => void;
  /** How many acknowledgements do not wait for others of the same turn: then the server works while the rest is handled. */
  readonly #early: number;
  /** Whether each delivery is to be looked at: some may have been taken away from this consumer. */
  looksAtEach = false;
  /** How many acknowledgements in time are sent and not answered. */
  leaving = 0;
  #acks: Waiting[] = [];
  /** By the milliseconds of which their leases are over already. */
  readonly #extensions = new Map<number, Waiting[]>();

  /** @param leaves called when acknowledgements are sent: for what is sent after them, their places are free */
  constructor(commands: Commands, place: Place, leaves: () => void) {
    this.#commands = commands;
    this.#place = place;
    this.#leaves = leaves;
    const half = Math.ceil(place.prefetch / 2);
    this.#early = half < leastEarly ? Number.POSITIVE_INFINITY : Math.min(batchSize, half);
  }

  get leaseMs(): number {
    return this.#place.leaseMs;
  }

  /**
   * @param isSurelyHeld whether its lease has not ended, as far as this process knows
   * @param answered called before it resolves, or rejects as the delivery is lost
   */
  ack(message: Fetched, isSurelyHeld: boolean, answered: (isHeld: boolean) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { message, isSurelyHeld, answered, resolve, reject };
      const waits = this.#acks.push(waiting);
      if (waits === 1) setImmediate(() => this.#sendAcks());
      if (waits >= this.#early) this.#sendAcks();
    });
  }

  /** The lease ends so many milliseconds from now, and no later than a whole lease. */
  extend(message: Fetched, ms: number): Promise<void> {
    const idleMs = Math.max(0, this.#place.leaseMs - Math.floor(ms));
    return new Promise((resolve, reject) => {
      if (this.#extensions.size === 0) setImmediate(() => this.#sendExtensions());
      const alike = this.#extensions.get(idleMs) ?? [];
      const waiting = { message, isSurelyHeld: false, answered: () => {}, resolve, reject };
      if (alike.push(waiting) === 1) this.#extensions.set(idleMs, alike);
    });
  }

  async nack(message: Fetched, { requeueAfterMs = 0, dead, charge = true }: NackOptions): Promise<void> {
    const { maxDead, keepsOrder } = this.#place;
    const deliveries = message.deliveries + message.count - (charge || dead !== undefined ? 0 : 1);
    const failures = message.failures + (charge ? 1 : 0);
    const rest = [
      deliveries,
      failures,
      Math.ceil(requeueAfterMs),
      keepsOrder ? 1 : 0,
      ...(dead === undefined ? [] : [dead, maxDead]),
    ];
    await this.#one(nackScript, message, rest);
  }

  progress(message: Fetched, value: Uint8Array): Promise<void> {
    return this.#one(progressScript, message, [bytesIn(value)]);
  }

  finish(message: Fetched, result: Uint8Array): Promise<void> {
    const { id, deliveries, count, failures } = message;
    const { maxResults } = this.#place;
    return this.#one(finishScript, message, [id, deliveries + count, failures, bytesIn(result), maxResults]);
  }

  async #one(script: Script, message: Fetched, more: readonly Argument[]): Promise<void> {
    const { stream, group, consumer } = this.#place;
    const args = [stream, group, consumer, message.isRetry ? 1 : 0, message.entry, message.count, ...more];
    if ((await this.#commands.script(script, args)) !== 1) throw new DeliveryLostError(message.id);
  }

  #sendAcks(): void {
    const all = this.#acks;
    if (all.length === 0) return;
    this.#acks = [];
    for (let at = 0; at < all.length; at += batchSize) {
      const batch = all.slice(at, at + batchSize);
      // One that is acknowledged too late has no place any more
      const sure = batch.filter(({ isSurelyHeld }) => isSurelyHeld).length;
      const looks = this.looksAtEach || sure < batch.length;
      this.leaving += sure;
      void this.#send(ackScript, looks ? 1 : 0, batch, () => {
        this.leaving -= sure;
      });
    }
    this.#leaves();
  }

  #sendExtensions(): void {
    const all = [...this.#extensions];
    this.#extensions.clear();
    for (const [idleMs, alike] of all) {
      for (let at = 0; at < alike.length; at += batchSize) {
        void this.#send(extendScript, idleMs, alike.slice(at, at + batchSize));
      }
    }
  }

  /** Never rejects. */
  async #send(
    script: Script,
    more: number,
    batch: readonly Waiting[],
    arrived = (): void => {},
  ): Promise<void> {
    const { stream, group, consumer } = this.#place;
    const ofStream = batch.filter(({ message }) => !message.isRetry);
    const sorted = ofStream.length === batch.length ? batch : [...ofStream, ...batch.filter(isRetry)];
    const counts = sorted.map(({ message }) => message.count).join();
    const entries = JSON.stringify(sorted.map(({ message }) => message.entry));
    const args = [stream, group, consumer, more, counts, ofStream.length, entries];
    try {
      const results = (await this.#commands.script(script, args).finally(arrived)) as 1 | readonly number[];
      if (results !== 1) this.looksAtEach = true;
      sorted.forEach(({ message, answered, resolve, reject }, index) => {
        const isHeld = results === 1 || results[index] === 1;
        answered(isHeld);
        if (isHeld) resolve();
        else reject(new DeliveryLostError(message.id));
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

function isRetry({ message }: Waiting): boolean {
  return message.isRetry;
}
