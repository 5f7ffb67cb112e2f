import {
  backgroundClock,
  boolean,
  type Clock,
  clock,
  durationMs,
  integer,
  type RulesFor,
  readOptions,
} from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from '../dead-letters.ts';
import type {
  Capabilities,
  ConsumeOptions,
  Delivery,
  Driver,
  GroupStats,
  Job,
  OutgoingMessage,
  Published,
  PublishSettings,
} from '../driver.ts';
import { GroupGoneError, QueueClosedError, QueueFullError, UnroutedError } from '../errors.ts';
import { Group } from './group.ts';
import { stored } from './ready.ts';
import { RecentIds } from './recent-ids.ts';

export interface MemoryDriverOptions {
  /** Milliseconds that a message stays with a consumer that does not extend it. Default: 10 000. */
  readonly leaseMs?: number;
  /** The most messages that a group may hold; more are refused with QueueFullError. Default: 1 000 000. */
  readonly maxMessages?: number;
  /** The most dead letters that a group keeps; the oldest go first. Default: 10 000. */
  readonly maxDead?: number;
  /** The results of handlers that a group keeps; the oldest go first. Default: 1 000. */
  readonly maxResults?: number;
  /** Milliseconds within which a message published again with the same id is one message. Default: 300 000. */
  readonly deduplicationMs?: number;
  /** How many ids of a topic are kept for that, at most. Default: 100 000. */
  readonly maxIds?: number;
  /** Whether bodies are copied when they are published. Without, the caller must not change them. Default: true. */
  readonly clone?: boolean;
  /** Measures delays and leases. Default: the machine's, which does not keep the process alive. */
  readonly clock?: Clock;
}

/** What the memory driver can do. */
export interface MemoryCapabilities extends Capabilities {
  readonly delay: true;
  readonly priority: true;
  readonly fanout: true;
  readonly durable: false;
  readonly orderedKeys: true;
  readonly deadLetters: true;
  readonly crashCount: true;
  readonly uniqueIds: true;
  readonly deduplication: true;
  readonly fairness: true;
  readonly limits: true;
  readonly expiry: true;
  readonly jobs: true;
}

const capabilities: MemoryCapabilities = {
  delay: true,
  priority: true,
  fanout: true,
  durable: false,
  orderedKeys: true,
  deadLetters: true,
  crashCount: true,
  uniqueIds: true,
  deduplication: true,
  fairness: true,
  limits: true,
  expiry: true,
  jobs: true,
};

const rules = {
  leaseMs: durationMs(10_000, { above: 0 }),
  maxMessages: integer(1_000_000, { min: 1 }),
  maxDead: integer(10_000, { min: 0 }),
  maxResults: integer(1_000, { min: 0 }),
  deduplicationMs: durationMs(300_000),
  maxIds: integer(100_000, { min: 0 }),
  clone: boolean(true),
  clock: clock(backgroundClock),
} satisfies RulesFor<MemoryDriverOptions>;

interface Topic {
  readonly groups: Map<string, Group>;
  readonly recent: RecentIds;
}

const ok: Published = { ok: true };
const duplicate: Published = { ok: true, isDuplicate: true };

/**
 * Messages in the memory of this process, for one process and for tests: the semantics of the other drivers, without
 * their durability. It ends with the process.
 *
 * @throws InvalidOptionError
 */
export function memoryDriver(options: MemoryDriverOptions = {}): Driver<MemoryCapabilities> {
  return new MemoryDriver(readOptions('memoryDriver', options, rules));
}

class MemoryDriver implements Driver<MemoryCapabilities> {
  readonly kind = 'memory';
  readonly capabilities: MemoryCapabilities = capabilities;
  readonly leaseMs: number;
  readonly #options: Required<MemoryDriverOptions>;
  readonly #topics = new Map<string, Topic>();
  readonly #epochMs: number;
  #sequence = 0;
  #isClosed = false;

  constructor(options: Required<MemoryDriverOptions>) {
    this.leaseMs = options.leaseMs;
    this.#options = options;
    // Only of our own clock the start is known
    this.#epochMs = options.clock === backgroundClock ? performance.timeOrigin : 0;
  }

  async declare(topic: string, group: string): Promise<void> {
    this.#checkOpen();
    const { groups } = this.#topic(topic);
    const { clock, leaseMs, maxDead, maxResults } = this.#options;
    const settings = { clock, leaseMs, maxDead, maxResults, epochMs: this.#epochMs };
    if (!groups.has(group)) groups.set(group, new Group(topic, group, settings));
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
    return batch.map(message => this.#publishOne(topic, known, message));
  }

  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery> {
    this.#checkOpen();
    return this.#group(topic, group).consume(options);
  }

  async inspect(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    return this.#group(topic, group).inspect(page);
  }

  async redrive(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#group(topic, group).redrive(selection, () => this.#sequence++);
  }

  async purge(topic: string, group: string, selection: DeadLetterSelection): Promise<number> {
    return this.#group(topic, group).purge(selection);
  }

  async stats(topic: string, group: string): Promise<GroupStats> {
    return this.#group(topic, group).stats;
  }

  async probe(topic: string, group: string): Promise<void> {
    this.#group(topic, group);
  }

  async find(topic: string, group: string, id: string): Promise<Job | undefined> {
    return this.#group(topic, group).find(id);
  }

  async cancel(topic: string, group: string, id: string): Promise<boolean> {
    return this.#group(topic, group).cancel(id);
  }

  async pause(topic: string, group: string): Promise<void> {
    this.#group(topic, group).pause();
  }

  async resume(topic: string, group: string): Promise<void> {
    this.#group(topic, group).resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const { groups } of this.#topics.values()) {
      for (const group of groups.values()) group.close(new QueueClosedError('the memory driver'));
    }
  }

  #publishOne(topic: string, { groups, recent }: Topic, message: OutgoingMessage): Published {
    const { clock, clone, maxMessages } = this.#options;
    const now = clock.now();
    const { id, headers, key, delayMs = 0, priority = 0, expiresInMs = Infinity, deduplication } = message;
    if (recent.has(id, now)) return duplicate;
    for (const group of groups.values()) {
      if (group.size >= maxMessages) return refusal(new QueueFullError(topic, group.name, maxMessages));
    }
    const body = clone ? new Uint8Array(message.body) : message.body;
    const sequence = this.#sequence++;
    let isKept = false;
    for (const group of groups.values()) {
      const item = stored({ id, body, headers, key, priority, sequence, expiresAt: now + expiresInMs });
      if (group.add(item, delayMs, deduplication)) isKept = true;
    }
    recent.add(id, now);
    return isKept ? ok : duplicate;
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      const { deduplicationMs, maxIds } = this.#options;
      topic = { groups: new Map(), recent: new RecentIds(deduplicationMs, maxIds) };
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
}

function refusal(error: Error): Published {
  return { ok: false, outcome: 'NotExecuted', error };
}
