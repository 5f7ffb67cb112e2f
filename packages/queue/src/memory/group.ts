import { Alarm, type Clock, Heap } from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type { AckOptions, ConsumeOptions, Deduplication, GroupStats, Job, NackOptions } from '../driver.ts';
import { Consumer } from './consumer.ts';
import { DeduplicationKeys } from './deduplication-keys.ts';
import { Graveyard } from './graveyard.ts';
import { type Held, Leases } from './leases.ts';
import { Ready, type Sharing, type Stored, stored } from './ready.ts';
import { Results } from './results.ts';

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
  readonly maxResults: number;
  /** Milliseconds since the epoch at zero of the clock. */
  readonly epochMs: number;
}

/** The messages of one topic for one group, and the consumers that share them. */
export class Group {
  readonly topic: string;
  readonly name: string;
  readonly #settings: GroupSettings;
  /** Those that are not settled. */
  readonly #items = new Map<string, Stored>();
  readonly #counts = { new: 0, waiting: 0, delayed: 0, active: 0, gone: 0 };
  readonly #keys = new DeduplicationKeys();
  readonly #later = new Heap<Later>((a, b) => a.at - b.at || a.item.sequence - b.item.sequence);
  readonly #dead: Graveyard;
  readonly #results: Results;
  readonly #leases: Leases;
  /** Those that wait for a message and have a place for it; the one that has waited longest first. */
  readonly #idle = new Set<Consumer>();
  readonly #consumers = new Set<Consumer>();
  readonly #alarm: Alarm;
  #sharing: Sharing = {};
  #ready = new Ready();
  #isPaused = false;

  constructor(topic: string, name: string, settings: GroupSettings) {
    this.topic = topic;
    this.name = name;
    this.#settings = settings;
    this.#dead = new Graveyard(settings.maxDead);
    this.#results = new Results(settings.maxResults);
    this.#alarm = new Alarm(settings.clock, () => this.#ring());
    this.#leases = new Leases(settings.clock, settings.leaseMs, {
      ack: (held, options) => this.#ack(held, options),
      nack: (held, options) => this.#nack(held, options),
      extended: () => this.#setAlarm(),
    });
  }

  /** Messages that are not settled. */
  get size(): number {
    return this.#items.size;
  }

  get stats(): GroupStats {
    const { waiting, delayed, active } = this.#counts;
    return { waiting, delayed, active, dead: this.#dead.size };
  }

  /** Whether it was added: false when it is dropped for another with its key. */
  add(item: Stored, delayMs: number, deduplication: Deduplication | undefined): boolean {
    const admission = deduplication && this.#keys.admit(item, deduplication, this.#now);
    if (admission?.drops) return false;
    if (admission?.replaces !== undefined) this.#forget(admission.replaces);
    this.#items.set(item.id, item);
    const pauseMs = deduplication?.mode === 'debounce' ? deduplication.ttlMs : delayMs;
    if (pauseMs > 0) this.#holdBack(item, pauseMs, false);
    else this.#enqueue(item, false);
    this.handOut();
    return true;
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

  #ack(held: Held, { result }: AckOptions = {}): void {
    const { item } = held;
    this.#release(held, false);
    this.#forget(item);
    if (result !== undefined) {
      const { id, deliveries, failures, progress } = item;
      this.#results.add(id, { state: 'done', deliveries, failures, progress, result });
    }
    this.handOut();
  }

  #nack(held: Held, { requeueAfterMs = 0, dead, charge = true }: NackOptions): void {
    const { item } = held;
    const pauses = dead === undefined && requeueAfterMs > 0;
    this.#release(held, pauses);
    if (charge) item.failures++;
    else if (dead === undefined) item.deliveries--;
    if (dead !== undefined) this.#bury(item, dead);
    else if (pauses) this.#holdBack(item, requeueAfterMs, true);
    else this.#enqueue(item, !charge || this.#isOrdered);
    this.handOut();
  }

  find(id: string): Job | undefined {
    const item = this.#items.get(id);
    if (item === undefined) return this.#deadJob(id) ?? this.#results.get(id);
    const { deliveries, failures, progress } = item;
    return { state: item.state as Job['state'], deliveries, failures, progress };
  }

  /** Whether there was such a message; the delivery of one in hands is lost. */
  cancel(id: string): boolean {
    const item = this.#items.get(id);
    if (item === undefined) return false;
    const held = this.#leases.of(item);
    if (held !== undefined) this.#release(held, false);
    this.#forget(item);
    this.handOut();
    return true;
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
      const item = stored({ id, body, headers, key, priority: 0, sequence: sequence(), expiresAt: Infinity });
      this.#items.set(id, item);
      this.#enqueue(item, false);
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
    const active = this.#leases.items;
    this.#ready = this.#ready.under(sharing, this.#now, active, pausing);
  }

  #take(consumer: Consumer): Held | undefined {
    if (this.#isPaused) return undefined;
    const now = this.#now;
    for (let item = this.#ready.take(now); item !== undefined; item = this.#ready.take(now)) {
      if (item.state === 'gone' || item.expiresAt <= now) {
        this.#ready.settled(item.key, now, false);
        this.#forget(item);
        continue;
      }
      item.deliveries++;
      this.#become(item, 'active');
      const held = this.#leases.give(item, consumer);
      if (held.endsAt < this.#alarm.at) this.#alarm.set(held.endsAt);
      return held;
    }
    return undefined;
  }

  #become(item: Stored, state: Stored['state']): void {
    this.#counts[item.state]--;
    this.#counts[state]++;
    item.state = state;
  }

  /** It is settled for good. What still holds a place among the ready or later ones is passed over there. */
  #forget(item: Stored): void {
    if (item.state === 'gone') return;
    this.#become(item, 'gone');
    this.#items.delete(item.id);
  }

  #enqueue(item: Stored, atFront: boolean): void {
    this.#become(item, 'waiting');
    this.#ready.push(item, this.#now, atFront);
  }

  #holdBack(item: Stored, ms: number, isRetry: boolean): void {
    this.#become(item, 'delayed');
    this.#later.push({ item, at: this.#now + ms, isRetry });
  }

  #release(held: Held, pausing: boolean): void {
    this.#leases.release(held);
    this.#ready.settled(held.item.key, this.#now, pausing);
  }

  /** The lease has ended: the message is for another consumer, and its delivery counts. */
  #lose(held: Held): void {
    this.#release(held, false);
    this.#enqueue(held.item, true);
  }

  #bury(item: Stored, reason: string): void {
    const { id, body, headers, key, deliveries, failures } = item;
    const { topic, name: group } = this;
    const diedAtMs = Math.round(this.#settings.epochMs + this.#now);
    this.#forget(item);
    this.#dead.add({ id, topic, group, body, headers, key, reason, deliveries, failures, diedAtMs });
  }

  #deadJob(id: string): Job | undefined {
    const letter = this.#dead.get(id);
    if (letter === undefined) return undefined;
    const { deliveries, failures, reason } = letter;
    return { state: 'dead', deliveries, failures, reason };
  }

  #ring(): void {
    const now = this.#now;
    for (let later = this.#later.peek(); later !== undefined && later.at <= now; later = this.#later.peek()) {
      this.#later.pop();
      this.#due(later, now);
    }
    for (const held of this.#leases.expired(now)) this.#lose(held);
    this.handOut();
  }

  #due({ item, isRetry }: Later, now: number): void {
    if (item.state === 'gone') {
      if (isRetry) this.#ready.abandoned(item.key, now);
      return;
    }
    this.#become(item, 'waiting');
    if (isRetry) this.#ready.returned(item, now);
    else this.#ready.push(item, now);
  }

  #setAlarm(): void {
    const limitedUntil = this.#idle.size > 0 ? this.#ready.nextAt(this.#now) : Infinity;
    this.#alarm.set(Math.min(this.#later.peek()?.at ?? Infinity, this.#leases.noneEndsBefore, limitedUntil));
  }
}
