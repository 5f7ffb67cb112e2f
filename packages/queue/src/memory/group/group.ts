import { Alarm, type Clock } from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../../dead-letters.ts';
import type { ConsumeOptions, Deduplication, GroupStats, Job } from '../../driver.ts';
import type { Journal, SavedGroup } from '../journal.ts';
import { type Part, pauseOf } from '../saving.ts';
import { Consumer } from './consumer.ts';
import { Contents, type ContentsSettings } from './contents.ts';
import { type Comes, comes } from './deduplication-keys.ts';
import { type Held, Leases, type Receipts } from './leases.ts';
import { Settling } from './settling.ts';
import { type Stored, stored } from './stored.ts';

export interface GroupSettings extends ContentsSettings {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly receipts: Receipts;
  readonly journal?: Journal | undefined;
}

/** The messages of one topic for one group, and the consumers that share them. */
export class Group {
  readonly topic: string;
  readonly name: string;
  readonly #settings: GroupSettings;
  readonly #contents: Contents;
  readonly #settling: Settling;
  /** Those that wait for a message and have a place for it; the one that has waited longest first. */
  readonly #idle = new Set<Consumer>();
  readonly #consumers = new Set<Consumer>();
  readonly #journal: Journal | undefined;
  readonly #alarm: Alarm;

  constructor(topic: string, name: string, settings: GroupSettings) {
    const { clock, leaseMs, receipts, journal } = settings;
    this.topic = topic;
    this.name = name;
    this.#settings = settings;
    this.#journal = journal;
    this.#alarm = new Alarm(clock, () => this.#ring());
    const leases = new Leases(clock, leaseMs, receipts, {
      ack: (held, options, now) => {
        this.#settling.ack(held, options ?? {}, now);
        this.handOut();
      },
      nack: (held, options, now) => {
        this.#settling.nack(held, options, now);
        this.handOut();
      },
      extended: () => this.#setAlarm(),
      progress: (item, value) => this.#progress(item, value),
      kept: journal && (() => journal.kept()),
      freed: ({ consumer }) => {
        consumer?.settled();
        this.handOut();
      },
    });
    this.#contents = new Contents(leases, settings);
    this.#settling = new Settling(this, this.#contents, journal, settings.epochMs);
  }

  /** Messages that are not settled. */
  get size(): number {
    return this.#contents.items.size;
  }

  get stats(): GroupStats {
    return this.#contents.stats;
  }

  /** Whether it was added: false when it is dropped for another with its key. */
  add(item: Stored, delayMs: number, deduplication: Deduplication | undefined, now: number): boolean {
    const admission = this.admit(item, deduplication, now);
    if (admission === undefined) return false;
    this.enter(item, pauseOf(delayMs, deduplication), admission, now);
    return true;
  }

  /** Keeps a place for it, which it has to `enter` or to `withdraw` from; undefined when it is dropped. */
  admit(item: Stored, deduplication: Deduplication | undefined, now: number): Comes | undefined {
    const { keys, items } = this.#contents;
    const admission = deduplication === undefined ? comes : keys.admit(item, deduplication, now);
    if (admission.drops) return undefined;
    items.set(item.id, item);
    return admission;
  }

  enter(item: Stored, pauseMs: number, { replaces }: Comes, now: number): void {
    // Unless it was handed out meanwhile
    if (replaces !== undefined && replaces.state !== 'active') this.#settling.takeAway(replaces, now);
    const { backlog } = this.#contents;
    if (pauseMs > 0) backlog.holdBack({ item, at: now + pauseMs, isRetry: false });
    else backlog.add(item, now, false);
    this.handOut();
  }

  withdraw(item: Stored, deduplication: Deduplication | undefined, admission: Comes): void {
    this.#contents.remove(item);
    if (deduplication !== undefined) this.#contents.keys.withdraw(deduplication.key, item, admission);
  }

  consume(options: ConsumeOptions): Consumer {
    const { ordered, fair, limits } = options;
    const { backlog, leases } = this.#contents;
    backlog.share({ ordered, fair, limits }, this.#now, leases.items);
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

  #progress(item: Stored, value: Uint8Array): void {
    const refused = this.#journal?.refusal();
    if (refused !== undefined) throw refused;
    item.progress = value;
    this.#journal?.progressed(this, item);
  }

  /** The delivery of that receipt, while it is in hands. */
  held(receipt: number): Held | undefined {
    return this.#contents.leases.get(receipt);
  }

  find(id: string): Job | undefined {
    return this.#contents.find(id);
  }

  /** Whether there was such a message; the delivery of one in hands is lost. */
  cancel(id: string): boolean {
    const { items, leases } = this.#contents;
    const item = items.get(id);
    if (item === undefined || item.state === 'new') return false;
    const held = leases.of(item);
    if (held !== undefined) this.#settling.release(held, this.#now, false);
    this.#settling.takeAway(item, this.#now);
    this.handOut();
    return true;
  }

  pause(): void {
    this.#contents.isPaused = true;
    this.#journal?.paused(this, true);
  }

  resume(): void {
    this.#contents.isPaused = false;
    this.#journal?.paused(this, false);
    this.handOut();
  }

  inspect(page: DeadLetterPage): DeadLetter[] {
    return this.#contents.dead.page(page);
  }

  redrive(selection: DeadLetterSelection, sequence: () => number): number {
    const { items, backlog, dead } = this.#contents;
    const letters = dead.take(selection);
    for (const { id, body, headers, key } of letters) {
      const item = stored({ id, body, headers, key, priority: 0, sequence: sequence(), expiresAt: Infinity });
      items.set(id, item);
      backlog.add(item, this.#now, false);
      this.#journal?.redriven(this, item);
    }
    this.handOut();
    return letters.length;
  }

  purge(selection: DeadLetterSelection): number {
    const letters = this.#contents.dead.take(selection);
    this.#journal?.purged(
      this,
      letters.map(({ id }) => id),
    );
    return letters.length;
  }

  /** Takes over what was kept, once, before anything else. */
  restore(saved: SavedGroup): void {
    this.#contents.restore(saved, this.#now);
    this.#setAlarm();
  }

  /** All that has to be kept, by and by. */
  saved(): Generator<Part> {
    return this.#contents.saved();
  }

  close(error: Error): void {
    this.#alarm.clear();
    for (const consumer of this.#consumers) consumer.fail(error);
  }

  get #now(): number {
    return this.#settings.clock.now();
  }

  /** Whether nothing is handed out, whatever there is. */
  get #isHalted(): boolean {
    return this.#contents.isPaused || this.#journal?.refusal() !== undefined;
  }

  #take(consumer: Consumer): Held | undefined {
    const contents = this.#contents;
    if (this.#isHalted) return undefined;
    const { backlog, leases } = contents;
    const now = this.#now;
    for (let item = backlog.take(now); item !== undefined; item = backlog.take(now)) {
      if (item.state === 'gone' || item.expiresAt <= now) {
        backlog.settled(item.key, now, false);
        this.#settling.forget(item);
        continue;
      }
      item.deliveries++;
      contents.activate(item);
      const held = leases.give(item, now, consumer);
      if (held.endsAt < this.#alarm.at) this.#alarm.set(held.endsAt);
      this.#journal?.taken(this, item, held.receipt);
      return held;
    }
    return undefined;
  }

  #ring(): void {
    const now = this.#now;
    const { backlog, leases } = this.#contents;
    backlog.advance(now);
    for (const held of leases.expired(now)) this.#settling.lose(held, now);
    this.handOut();
  }

  #setAlarm(): void {
    const { backlog, leases } = this.#contents;
    const isWanted = this.#idle.size > 0 && !this.#isHalted;
    const limitedUntil = isWanted ? backlog.startsAt(this.#now) : Infinity;
    this.#alarm.set(Math.min(backlog.dueAt, leases.noneEndsBefore, limitedUntil));
  }
}
