import { backgroundClock, onAbort } from '@ashlar/core';
import type { AckOptions, ConsumeOptions, Delivery, NackOptions } from '../driver.ts';
import { DeliveryLostError, GroupGoneError, InvalidPayloadError } from '../errors.ts';
import type { Answer } from './calls.ts';
import {
  type ClientMessage,
  compact,
  type SettleMessage,
  type Settlement,
  type WireDelivery,
} from './protocol.ts';

interface Way {
  leaseMs(): number;
  /** Of a result and a progress; more would end the connection: it is not kept, and refused. */
  readonly maxResultBytes: number;
  send(message: ClientMessage): void;
  settle(message: SettleMessage): Promise<Answer>;
}

/** One consumer of a remote driver, over as many channels as it takes. */
export class RemoteConsumer {
  readonly id: number;
  readonly topic: string;
  readonly group: string;
  readonly #options: ConsumeOptions;
  readonly #way: Way;
  readonly #unlink: () => void;
  /** Those that the caller has not taken. */
  readonly #ready: RemoteDelivery[] = [];
  readonly #held = new Map<string, RemoteDelivery>();
  #wake: (() => void) | undefined;
  #isLeaving = false;
  #hasLeft = false;
  #failure: Error | undefined;

  constructor(id: number, topic: string, group: string, options: ConsumeOptions, way: Way) {
    this.id = id;
    this.topic = topic;
    this.group = group;
    this.#options = options;
    this.#way = way;
    this.#unlink = onAbort(options.signal, () => this.#wake?.());
  }

  /** Over a channel that is open. */
  start(): void {
    if (this.#isLeaving) {
      this.left();
      return;
    }
    const { prefetch, ordered, fair, limits } = this.#options;
    const options = { prefetch, ordered, fair, limits };
    const holds = [...this.#held.keys()];
    const { id, topic, group } = this;
    this.#way.send({ type: 'consume', id, topic, group, options, holds });
  }

  async *deliveries(): AsyncGenerator<Delivery, void> {
    while (!this.#options.signal.aborted) {
      const delivery = this.#ready.shift();
      if (delivery !== undefined) {
        if (delivery.endsAt > performance.now()) yield delivery;
        else this.#held.delete(delivery.token);
        continue;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  receive(token: string, message: WireDelivery, body: Uint8Array = new Uint8Array()): void {
    const endsAt = performance.now() + this.#way.leaseMs();
    const { topic, group } = this;
    const delivery = new RemoteDelivery({ token, message, body, endsAt, topic, group }, this.#way, () => {
      this.#held.delete(token);
    });
    this.#held.set(token, delivery);
    this.#ready.push(delivery);
    this.alive();
    this.#wake?.();
  }

  alive(): void {
    if (!this.#isLeaving) this.#options.alive?.();
  }

  /** An answer to the question whether the group is there. */
  doubt(error: unknown): void {
    if (error instanceof GroupGoneError) this.fail(error);
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#hasLeft = true;
    this.#wake?.();
  }

  /** The other side hands out nothing more to it. */
  left(error?: Error): void {
    this.#hasLeft = true;
    if (error !== undefined) this.#failure ??= error;
    else if (!this.#isLeaving) this.#failure ??= new GroupGoneError(this.topic, this.group);
    this.#wake?.();
  }

  /** The channel is lost, and with it what was to come over it. */
  lost(): void {
    if (this.#isLeaving) this.left();
    const now = performance.now();
    for (const [token, { endsAt }] of this.#held) if (endsAt <= now) this.#held.delete(token);
  }

  /** What was not handed to the caller goes back uncharged; what was, stays until its lease ends. */
  async leave(timeoutMs: number): Promise<void> {
    this.#unlink();
    this.#isLeaving = true;
    const giveUp = new AbortController();
    if (!this.#hasLeft) {
      this.#way.send({ type: 'leave', id: this.id });
      const time = backgroundClock.sleep(timeoutMs, giveUp.signal).catch(() => {});
      const left = (async () => {
        while (!this.#hasLeft) await new Promise<void>(resolve => (this.#wake = resolve));
      })();
      await Promise.race([left, time]);
      giveUp.abort();
    }
    const orphans = this.#ready.splice(0);
    await Promise.all(orphans.map(each => each.nack({ charge: false }).catch(() => {}))); // Or their leases end
  }
}

interface Given {
  readonly token: string;
  readonly message: WireDelivery;
  readonly body: Uint8Array;
  readonly topic: string;
  readonly group: string;
  readonly endsAt: number;
}

class RemoteDelivery implements Delivery {
  readonly token: string;
  readonly body: Uint8Array;
  /** When its lease ends unless it is extended, by the clock of this process. */
  endsAt: number;
  readonly #given: Given;
  readonly #way: Way;
  readonly #done: () => void;
  readonly #tried = new Set<Settlement>();
  #isSettled = false;

  constructor(given: Given, way: Way, done: () => void) {
    this.token = given.token;
    this.body = given.body;
    this.endsAt = given.endsAt;
    this.#given = given;
    this.#way = way;
    this.#done = done;
  }

  get id(): string {
    return this.#given.message.id;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#given.message.headers;
  }

  get key(): string | undefined {
    return this.#given.message.key ?? undefined;
  }

  get deliveries(): number {
    return this.#given.message.deliveries;
  }

  get failures(): number {
    return this.#given.message.failures ?? this.deliveries - 1;
  }

  ack({ result }: AckOptions = {}): Promise<void> {
    const isKept = result !== undefined && result.byteLength <= this.#way.maxResultBytes;
    return this.#settle('ack', {}, isKept ? [compact(result)] : []);
  }

  nack(options: NackOptions): Promise<void> {
    return this.#settle('nack', options);
  }

  async extend(ms: number): Promise<void> {
    const sentAt = performance.now();
    await this.#settle('extend', ms);
    this.endsAt = sentAt + ms;
  }

  async progress(value: Uint8Array): Promise<void> {
    const { maxResultBytes } = this.#way;
    if (value.byteLength > maxResultBytes) {
      const words = `a progress has more than ${maxResultBytes} bytes`;
      throw new InvalidPayloadError(this.#given.topic, [words]);
    }
    await this.#settle('progress', undefined, [compact(value)]);
  }

  async #settle(how: Settlement, options: unknown, parts: readonly Uint8Array[] = []): Promise<void> {
    if (this.#isSettled) return;
    const { topic, group, message, token } = this.#given;
    const again = this.#tried.has(how);
    const of = [topic, group, message.id] as const;
    try {
      await this.#way.settle({ type: 'settle', how, token, of, options, again, parts });
      if (how === 'extend' || how === 'progress') return;
      this.#isSettled = true;
      this.#done();
    } catch (error) {
      if (error instanceof DeliveryLostError) this.#done();
      else this.#tried.add(how);
      throw error;
    }
  }
}
