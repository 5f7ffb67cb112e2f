import { sleep } from '@ashlar/core';
import type { Commands } from '@ashlar/store/redis-connection';
import { declareScript, prioritizeScript, sortedScript } from './scripts/topics.ts';

/** What is known of a topic. */
export interface Topic {
  readonly groups: readonly string[];
  /** Whether messages with a priority were published: then those without one need one too. */
  readonly hasPriorities: boolean;
  /** Whether those that were published before have one, too. */
  readonly isSorted: boolean;
}

interface Known {
  readonly topic: Topic;
  /** When it was asked for, by `performance.now()`. */
  readonly askedAt: number;
}

/** How long a publisher goes by what it has read of a topic. */
const freshMs = 500;
/** How long a change waits until every publisher goes by it: longer, as two clocks may not run alike. */
const windowMs = 600;

/**
 * The groups of topics, kept in Redis. Publishers read them twice a second at most, so that publishing needs no command
 * more than BullMQ's own; a change in what they may have read resolves only when all of them must have read it again.
 */
export class Registry {
  readonly #commands: Commands;
  readonly #prefix: string;
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<Topic>>();

  constructor(commands: Commands, prefix: string) {
    this.#commands = commands;
    this.#prefix = prefix;
  }

  /** The key of the record of a topic. No queue has it among its own, as that of a topic called `ashlar-queue` would without the `@`. */
  key(topic: string): string {
    return `${this.#prefix}:ashlar-queue@:${topic}`;
  }

  async declare(topic: string, group: string, meta: string): Promise<void> {
    await this.#changed(this.#commands.script(declareScript, [this.key(topic), meta, group, windowMs]));
  }

  /** Later publishes of any process give each message a priority. */
  async prioritize(topic: string): Promise<void> {
    await this.#changed(this.#commands.script(prioritizeScript, [this.key(topic), windowMs]));
    this.#known.delete(topic);
  }

  /** What was published before is sorted. */
  async sorted(topic: string): Promise<void> {
    await this.#commands.script(sortedScript, [this.key(topic)]);
    this.#known.delete(topic);
  }

  async topic(name: string): Promise<Topic> {
    const known = this.#known.get(name);
    if (known === undefined) return this.#read(name);
    const ageMs = performance.now() - known.askedAt;
    if (ageMs >= freshMs) return this.#read(name);
    // Before it is too old, so that no publish waits for it
    if (ageMs >= freshMs / 2) this.#read(name).catch(() => {});
    return known.topic;
  }

  #read(name: string): Promise<Topic> {
    let asked = this.#asked.get(name);
    if (asked === undefined) {
      asked = this.#ask(name).finally(() => this.#asked.delete(name));
      this.#asked.set(name, asked);
    }
    return asked;
  }

  async #ask(name: string): Promise<Topic> {
    const askedAt = performance.now();
    const fields = (await this.#commands.reading('HKEYS', [this.key(name)], false)) as readonly string[];
    const groups = fields.filter(field => field.startsWith('g:')).map(field => field.slice(2));
    const hasPriorities = fields.includes('priorities');
    const topic = { groups: groups.sort(), hasPriorities, isSorted: fields.includes('sorted') };
    // Without a group, nobody waits for us to know of the first
    if (groups.length > 0) this.#known.set(name, { topic, askedAt });
    else this.#known.delete(name);
    return topic;
  }

  async #changed(change: Promise<unknown>): Promise<void> {
    const waitMs = (await change) as number;
    if (waitMs > 0) await sleep(waitMs);
  }
}
