import { Alarm, type Clock, Heap } from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type { ConsumeOptions, Delivery, GroupStats, NackOptions } from '../driver.ts';
import { DeliveryLostError } from '../errors.ts';
import { Consumer } from './consumer.ts';
import { Graveyard } from './graveyard.ts';
import { Ready, type Sharing, type Stored } from './ready.ts';

/** A message that is held back until its time. */
interface Later {
  readonly item: Stored;
  readonly at: number;
  /** Whether it pauses after a failure. */
  readonly isRetry: boolean;
}

export interface GroupSettings {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly maxDead: number;
  /** Milliseconds since the epoch at zero of the clock. */
  readonly epochMs: number;
}

/** The messages of one topic for one group, and the consumers that share them. */
export class Group {
  readonly topic: string;
  readonly name: string;
  readonly #settings: GroupSettings;
  readonly #later = new Heap<Later>((a, b) => a.at - b.at || a.item.sequence - b.item.sequence);
  readonly #held = new Set<Held>();
  readonly #dead: Graveyard;
  /** Those that wait for a message and have a place for it; the one that has waited longest first. */
  readonly #idle = new Set<Consumer>();
  readonly #consumers = new Set<Consumer>();
  readonly #alarm: Alarm;
  #sharing: Sharing = {};
  #ready = new Ready();
  /** No lease ends sooner; some may have been extended since. */
  #leaseEndsAt = Infinity;
  #isPaused = false;

  constructor(topic: string, name: string, settings: GroupSettings) {
    this.topic = topic;
    this.name = name;
    this.#settings = settings;
    this.#dead = new Graveyard(settings.maxDead);
    this.#alarm = new Alarm(settings.clock, () => this.#ring());
  }

  /** Messages that are not settled. */
  get size(): number {
    return this.#ready.size + this.#later.size + this.#held.size;
  }

  get stats(): GroupStats {
    return {
      waiting: this.#ready.size,
      delayed: this.#later.size,
      active: this.#held.size,
      dead: this.#dead.size,
    };
  }

  add(item: Stored, delayMs: number): void {
    if (delayMs > 0) {
      this.#later.push({ item, at: this.#now + delayMs, isRetry: false });
      this.#setAlarm();
    } else {
      this.#ready.push(item, this.#now);
      this.handOut();
    }
  }

  consume(options: ConsumeOptions): Consumer {
    const { ordered, fair, limits } = options;
    this.#share({ ordered, fair, limits });
    const consumer = new Consumer(options, {
      take: consumer => this.#take(consumer),
      wait: consumer => {
        this.#idle.add(consumer);
        this.#setAlarm();
      },
      left: consumer => {
        this.#idle.delete(consumer);
        this.#consumers.delete(consumer);
      },
    });
    if (!options.signal.aborted) this.#consumers.add(consumer);
    return consumer;
  }

  /** Hands messages to the consumers that wait, as long as there are both. */
  handOut(): void {
    for (const consumer of this.#idle) {
      const held = this.#take(consumer);
      if (held === undefined) break;
      this.#idle.delete(consumer);
      consumer.receive(held);
    }
    this.#setAlarm();
  }

  ack(held: Held): void {
    this.#remove(held, false);
    this.handOut();
  }

  nack(held: Held, { requeueAfterMs = 0, dead, charge = true }: NackOptions): void {
    const { item } = held;
    const pauses = dead === undefined && requeueAfterMs > 0;
    this.#remove(held, pauses);
    if (dead !== undefined) this.#bury(item, dead, charge);
    else if (charge) item.failures++;
    else item.deliveries--;
    if (pauses) {
      this.#later.push({ item, at: this.#now + requeueAfterMs, isRetry: true });
    } else if (dead === undefined) {
      this.#ready.push(item, this.#now, !charge || this.#isOrdered);
    }
    this.handOut();
  }

  extend(held: Held, ms: number): void {
    this.#check(held);
    held.endsAt = this.#now + ms;
    this.#setAlarm();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.handOut();
  }

  inspect(page: DeadLetterPage): DeadLetter[] {
    return this.#dead.page(page);
  }

  redrive(selection: DeadLetterSelection, sequence: () => number): number {
    const letters = this.#dead.take(selection);
    for (const { id, body, headers, key } of letters) {
      const item = { id, body, headers, key, priority: 0, sequence: sequence(), expiresAt: Infinity };
      this.#ready.push({ ...item, deliveries: 0, failures: 0 }, this.#now);
    }
    this.handOut();
    return letters.length;
  }

  purge(selection: DeadLetterSelection): number {
    return this.#dead.take(selection).length;
  }

  close(error: Error): void {
    this.#alarm.clear();
    for (const consumer of this.#consumers) consumer.fail(error);
  }

  get #now(): number {
    return this.#settings.clock.now();
  }

  get #isOrdered(): boolean {
    return this.#sharing.ordered === true;
  }

  /** The latest consumer says how the group shares. */
  #share(sharing: Sharing): void {
    if (JSON.stringify(sharing) === JSON.stringify(this.#sharing)) return;
    this.#sharing = sharing;
    const pausing = [...this.#later].filter(({ isRetry }) => isRetry).map(({ item }) => item);
    const active = [...this.#held].map(({ item }) => item);
    this.#ready = this.#ready.under(sharing, this.#now, active, pausing);
  }

  #take(consumer: Consumer): Held | undefined {
    if (this.#isPaused) return undefined;
    const now = this.#now;
    for (let item = this.#ready.take(now); item !== undefined; item = this.#ready.take(now)) {
      if (item.expiresAt <= now) {
        this.#ready.settled(item.key, now, false);
        continue;
      }
      item.deliveries++;
      const held = new Held(this, item, consumer, now + this.#settings.leaseMs);
      this.#held.add(held);
      if (held.endsAt < this.#leaseEndsAt) {
        this.#leaseEndsAt = held.endsAt;
        this.#setAlarm();
      }
      return held;
    }
    return undefined;
  }

  /** @throws DeliveryLostError */
  #check(held: Held): void {
    if (held.endsAt <= this.#now && this.#held.has(held)) this.#lose(held);
    if (!this.#held.has(held)) throw new DeliveryLostError(held.item.id);
  }

  #remove(held: Held, pausing: boolean): void {
    this.#check(held);
    this.#held.delete(held);
    held.consumer.settled();
    this.#ready.settled(held.item.key, this.#now, pausing);
  }

  /** The lease has ended: the message is for another consumer, and its delivery counts. */
  #lose(held: Held): void {
    this.#held.delete(held);
    held.consumer.settled();
    this.#ready.settled(held.item.key, this.#now, false);
    this.#ready.push(held.item, this.#now, true);
  }

  #bury(item: Stored, reason: string, charge: boolean): void {
    const { id, body, headers, key, deliveries, failures } = item;
    const { topic, name: group } = this;
    const diedAtMs = Math.round(this.#settings.epochMs + this.#now);
    this.#dead.add({
      ...{ id, topic, group, body, headers, key, reason, deliveries, diedAtMs },
      failures: charge ? failures + 1 : failures,
    });
  }

  #ring(): void {
    const now = this.#now;
    for (let later = this.#later.peek(); later !== undefined && later.at <= now; later = this.#later.peek()) {
      this.#later.pop();
      if (later.isRetry) this.#ready.returned(later.item, now);
      else this.#ready.push(later.item, now);
    }
    if (this.#leaseEndsAt <= now) {
      this.#leaseEndsAt = Infinity;
      for (const held of this.#held) {
        if (held.endsAt <= now) this.#lose(held);
        else this.#leaseEndsAt = Math.min(this.#leaseEndsAt, held.endsAt);
      }
    }
    this.handOut();
  }

  #setAlarm(): void {
    const limitedUntil = this.#idle.size > 0 ? this.#ready.nextAt(this.#now) : Infinity;
    this.#alarm.set(Math.min(this.#later.peek()?.at ?? Infinity, this.#leaseEndsAt, limitedUntil));
  }
}

const done = Promise.resolve();

/** A message in the hands of a consumer, and its lease. */
class Held implements Delivery {
  readonly item: Stored;
  readonly consumer: Consumer;
  endsAt: number;
  readonly deliveries: number;
  readonly failures: number;
  readonly #group: Group;
  #isSettled = false;

  constructor(group: Group, item: Stored, consumer: Consumer, endsAt: number) {
    this.item = item;
    this.consumer = consumer;
    this.endsAt = endsAt;
    this.deliveries = item.deliveries;
    this.failures = item.failures;
    this.#group = group;
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

  ack(): Promise<void> {
    return this.#settle(() => this.#group.ack(this), true);
  }

  nack(options: NackOptions): Promise<void> {
    return this.#settle(() => this.#group.nack(this, options), true);
  }

  extend(ms: number): Promise<void> {
    return this.#settle(() => this.#group.extend(this, ms), false);
  }

  #settle(how: () => void, isLast: boolean): Promise<void> {
    if (this.#isSettled) return done;
    try {
      how();
      this.#isSettled = isLast;
      return done;
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
