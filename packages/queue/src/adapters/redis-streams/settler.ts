import type { Commands, Script } from '@ashlar/store/redis-connection';
import type { NackOptions } from '../../driver.ts';
import { DeliveryLostError } from '../../errors.ts';
import { ackScript, extendScript, nackScript } from './scripts.ts';
import type { Fetched } from './wire.ts';

interface Waiting {
  readonly message: Fetched;
  resolve(): void;
  reject(error: unknown): void;
}

interface Place {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly maxDead: number;
}

/** The most deliveries that one script settles, so that it does not hold up the server. */
const batchSize = 200;

/** Settles the deliveries of one consumer. What is acknowledged or extended in one turn of the event loop goes together. */
export class Settler {
  readonly #commands: Commands;
  readonly #place: Place;
  #acks: Waiting[] = [];
  #extensions: Waiting[] = [];

  constructor(commands: Commands, place: Place) {
    this.#commands = commands;
    this.#place = place;
  }

  ack(message: Fetched): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#acks.push({ message, resolve, reject }) === 1) setImmediate(() => this.#sendAcks());
    });
  }

  /** Sets the lease back to its whole length. */
  extend(message: Fetched, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#extensions.push({ message, resolve, reject }) > 1) return;
      setImmediate(() => this.#sendExtensions(ms));
    });
  }

  async nack(message: Fetched, { requeueAfterMs = 0, dead, charge = true }: NackOptions): Promise<void> {
    const { stream, group, consumer, maxDead } = this.#place;
    const deliveries = message.deliveries + message.count - (charge || dead !== undefined ? 0 : 1);
    const failures = message.failures + (charge ? 1 : 0);
    const args = [stream, group, consumer, message.isRetry ? 1 : 0, message.entry, message.count];
    const rest = [
      deliveries,
      failures,
      Math.ceil(requeueAfterMs),
      ...(dead === undefined ? [] : [dead, maxDead]),
    ];
    const result = await this.#commands.script(nackScript, [...args, ...rest]);
    if (result !== 1) throw new DeliveryLostError(message.id);
  }

  #sendAcks(): void {
    const all = this.#acks;
    this.#acks = [];
    for (let at = 0; at < all.length; at += batchSize) {
      this.#send(ackScript, [], all.slice(at, at + batchSize));
    }
  }

  #sendExtensions(ms: number): void {
    const all = this.#extensions;
    this.#extensions = [];
    const idleMs = Math.max(0, this.#place.leaseMs - Math.floor(ms));
    for (let at = 0; at < all.length; at += batchSize) {
      this.#send(extendScript, [idleMs], all.slice(at, at + batchSize));
    }
  }

  #send(script: Script, more: readonly number[], batch: readonly Waiting[]): void {
    const { stream, group, consumer } = this.#place;
    const args: (string | number)[] = [stream, group, consumer, ...more];
    for (const { message } of batch) args.push(message.isRetry ? 1 : 0, message.entry, message.count);
    this.#commands.script(script, args).then(
      results => {
        for (const [index, { message, resolve, reject }] of batch.entries()) {
          if ((results as number[])[index] === 1) resolve();
          else reject(new DeliveryLostError(message.id));
        }
      },
      error => {
        for (const { reject } of batch) reject(error);
      },
    );
  }
}
