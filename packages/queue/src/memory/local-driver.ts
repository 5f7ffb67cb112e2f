import type { MessagePort } from 'node:worker_threads';
import { backgroundClock } from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type {
  ConsumeOptions,
  Delivery,
  GroupStats,
  Job,
  OutgoingMessage,
  Published,
  PublishSettings,
} from '../driver.ts';
import { refusal } from '../driver.ts';
import { GroupGoneError, QueueClosedError, UnroutedError } from '../errors.ts';
import { servePort } from '../remote/ports.ts';
import type { Group } from './group/group.ts';
import type { Journal, Saved } from './journal.ts';
import {
  capabilities,
  type MemoryCapabilities,
  type MemoryDriver,
  type MemoryDriverOptions,
} from './options.ts';
import { type SavedPart, Topic, type TopicSettings } from './topic.ts';

const ok: Published = { ok: true };

/** The driver of the thread that owns it. */
export class LocalDriver implements MemoryDriver {
  readonly kind = 'memory';
  readonly capabilities: MemoryCapabilities;
  readonly leaseMs: number;
  readonly #settings: TopicSettings;
  readonly #topics = new Map<string, Topic>();
  readonly #journal: Journal | undefined;
  readonly #receipts = { last: 0 };
  readonly #counter = { next: 0 };
  readonly #ports = new Set<MessagePort>();
  #isClosed = false;

  /** @param journal keeps the messages, so that they outlive the process */
  constructor(options: Required<MemoryDriverOptions>, journal?: Journal) {
    this.#journal = journal;
    // Who has given a journal knows
    const durable = (journal !== undefined) as false;
    this.capabilities = durable ? { ...capabilities, durable } : capabilities;
    this.leaseMs = options.leaseMs;
    // Only of our own clock the start is known
    const epochMs = options.clock === backgroundClock ? performance.timeOrigin : 0;
    const [receipts, counter] = [this.#receipts, this.#counter];
    this.#settings = { ...options, epochMs, receipts, counter, journal };
  }

  async declare(topic: string, group: string): Promise<void> {
    this.#checkOpen();
    const made = this.#topic(topic);
    if (!made.groups.has(group)) this.#checkKeeps();
    made.declare(group);
    await this.#journal?.kept();
  }

  async publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    { allowUnrouted = false }: PublishSettings = {},
  ): Promise<readonly Published[]> {
    if (this.#isClosed) return batch.map(() => refusal(new QueueClosedError('the memory driver')));
    const known = this.#topics.get(topic);
    if (known === undefined || known.groups.size === 0) {
      return batch.map(() => (allowUnrouted ? ok : refusal(new UnroutedError(topic))));
    }
    const refused = this.#journal?.refusal();
    if (refused !== undefined) return batch.map(() => refusal(refused));
    return known.publish(batch);
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    this.#checkOpen();
    return this.#group(topic, group).consume(options);
  }

  async inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    return this.#group(topic, group).inspect(page);
  }

  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    this.#checkKeeps();
    const count = this.#group(topic, group).redrive(selection, () => this.#counter.next++);
    await this.#journal?.kept();
    return count;
  }

  async purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    this.#checkKeeps();
    const count = this.#group(topic, group).purge(selection);
    await this.#journal?.kept();
    return count;
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    return this.#group(topic, group).stats;
  }

  async probe(topic: string, group: string): Promise<void> {
    this.#checkKeeps();
    this.#group(topic, group);
  }

  async find(topic: string, group: string, id: string): Promise<Job | undefined> {
    return this.#group(topic, group).find(id);
  }

  async cancel(topic: string, group: string, id: string): Promise<boolean> {
    this.#checkKeeps();
    const was = this.#group(topic, group).cancel(id);
    await this.#journal?.kept();
    return was;
  }

  async pause(topic: string, group: string): Promise<void> {
    this.#checkKeeps();
    this.#group(topic, group).pause();
    await this.#journal?.kept();
  }

  async resume(topic: string, group: string): Promise<void> {
    this.#checkKeeps();
    this.#group(topic, group).resume();
    await this.#journal?.kept();
  }

  /** To those that wait, after the journal had no room. */
  handOut(): void {
    if (this.#isClosed) return;
    for (const { groups } of this.#topics.values()) for (const group of groups.values()) group.handOut();
  }

  /** A delivery in hands, by its receipt. */
  held(topic: string, group: string, receipt: number): Delivery | undefined {
    return this.#topics.get(topic)?.groups.get(group)?.held(receipt);
  }

  connect(): MessagePort {
    this.#checkOpen();
    const { port1, port2 } = new MessageChannel();
    this.#ports.add(port1);
    servePort(port1, this, () => this.#ports.delete(port1));
    return port2;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const port of this.#ports) port.close();
    for (const { groups } of this.#topics.values()) {
      for (const group of groups.values()) group.close(new QueueClosedError('the memory driver'));
    }
  }

  /** Takes over what was kept, once, before anything else. */
  restore(saved: Saved): void {
    for (const [name, kept] of saved) {
      const { sequence, receipt } = this.#topic(name).restore(kept);
      this.#counter.next = Math.max(this.#counter.next, sequence + 1);
      this.#receipts.last = Math.max(this.#receipts.last, receipt);
    }
    // Also past those that were given and not kept in time
    this.#receipts.last += 2 ** 20;
  }

  /** All that has to be kept, by and by. */
  *saved(): Generator<SavedPart> {
    for (const topic of this.#topics.values()) yield* topic.saved();
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic(name, this.#settings);
      this.#topics.set(name, topic);
    }
    return topic;
  }

  #group(topic: string, name: string): Group {
    this.#checkOpen();
    const group = this.#topics.get(topic)?.groups.get(name);
    if (group === undefined) throw new GroupGoneError(topic, name);
    return group;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new QueueClosedError('the memory driver');
  }

  /** @throws when no more can be kept */
  #checkKeeps(): void {
    const refused = this.#journal?.refusal();
    if (refused !== undefined) throw refused;
  }
}
