import type { Clock } from '@ashlar/core';
import { type OutgoingMessage, outcomeOf, type Published, refusal } from '../driver.ts';
import { QueueFullError } from '../errors.ts';
import type { Comes } from './group/deduplication-keys.ts';
import { Group, type GroupSettings } from './group/group.ts';
import { type PublishedFields, type Stored, stored } from './group/stored.ts';
import type { Entry, Journal, SavedTopic } from './journal.ts';
import { RecentIds } from './recent-ids.ts';
import { type Part, pauseOf } from './saving.ts';

export interface TopicSettings extends GroupSettings {
  readonly clock: Clock;
  readonly clone: boolean;
  readonly maxMessages: number;
  readonly deduplicationMs: number;
  readonly maxIds: number;
  /** Counts the messages of all topics, in the order of publishing. */
  readonly counter: { next: number };
}

/** Something that is kept: of a group, or the ids that were published last, the oldest first. */
export type SavedPart =
  | { readonly topic: string; readonly group: string; readonly part: Part | undefined }
  | { readonly topic: string; readonly ids: readonly string[] };

const idsTogether = 500;

/** A message that has a place in a group and is not yet kept. */
interface Staged {
  readonly group: Group;
  readonly item: Stored;
  readonly message: OutgoingMessage;
  readonly admission: Comes;
}

const ok: Published = { ok: true };
const duplicate: Published = { ok: true, isDuplicate: true };

/** The groups of one topic, and the publishing to all of them. */
export class Topic {
  readonly name: string;
  readonly groups: Map<string, Group> = new Map();
  readonly #settings: TopicSettings;
  readonly #recent: RecentIds;

  constructor(name: string, settings: TopicSettings) {
    this.name = name;
    this.#settings = settings;
    this.#recent = new RecentIds(settings.deduplicationMs, settings.maxIds);
  }

  declare(name: string): void {
    if (this.groups.has(name)) return;
    const group = this.#makeGroup(name);
    this.#settings.journal?.declared(group);
  }

  async publish(batch: readonly OutgoingMessage[]): Promise<readonly Published[]> {
    const { journal } = this.#settings;
    if (journal !== undefined) return this.#publishKept(batch, journal);
    const now = this.#settings.clock.now();
    return batch.map(message => this.#publish(message, now));
  }

  /** Takes over what was kept, once, before anything else. Returns the greatest sequence and receipt. */
  restore({ groups, recent }: SavedTopic): { readonly sequence: number; readonly receipt: number } {
    const { clock, epochMs, deduplicationMs } = this.#settings;
    const last = { sequence: -1, receipt: 0 };
    for (const [name, saved] of groups) {
      this.#makeGroup(name).restore(saved);
      for (const { message, receipt } of saved.items.values()) {
        last.sequence = Math.max(last.sequence, message.sequence);
        last.receipt = Math.max(last.receipt, receipt);
      }
    }
    const now = clock.now();
    const since = epochMs + now - deduplicationMs;
    for (const [id, at] of recent) if (at > since) this.#recent.add(id, now);
    return last;
  }

  /** All that has to be kept, by and by. */
  *saved(): Generator<SavedPart> {
    const topic = this.name;
    for (const [name, group] of this.groups) {
      yield { topic, group: name, part: undefined };
      for (const part of group.saved()) yield { topic, group: name, part };
    }
    let ids: string[] = [];
    for (const id of this.#recent.all()) {
      if (ids.push(id) < idsTogether) continue;
      yield { topic, ids };
      ids = [];
    }
    if (ids.length > 0) yield { topic, ids };
  }

  #makeGroup(name: string): Group {
    const group = new Group(this.name, name, this.#settings);
    this.groups.set(name, group);
    return group;
  }

  #publish(message: OutgoingMessage, now: number): Published {
    const settled = this.#settled(message.id, now);
    if (settled !== undefined) return settled;
    const { delayMs = 0, deduplication } = message;
    const fields = this.#fields(message, now);
    let isKept = false;
    for (const group of this.groups.values()) {
      if (group.add(stored(fields), delayMs, deduplication, now)) isKept = true;
    }
    return isKept ? ok : duplicate;
  }

  /** Nobody is given a message before it is kept, and what is not kept is as if it had never come. */
  async #publishKept(batch: readonly OutgoingMessage[], journal: Journal): Promise<readonly Published[]> {
    const staged: Staged[] = [];
    const published = batch.map(message => this.#stage(message, staged, journal));
    try {
      await journal.confirmed();
    } catch (error) {
      for (const { group, item, message, admission } of staged.reverse()) {
        group.withdraw(item, message.deduplication, admission);
        this.#recent.delete(item.id);
      }
      const failed: Published = { ok: false, outcome: outcomeOf(error), error: error as Error };
      return published.map(each => (each.ok ? failed : each));
    }
    const now = this.#settings.clock.now();
    for (const { group, item, message, admission } of staged) {
      group.enter(item, pauseOf(message.delayMs ?? 0, message.deduplication), admission, now);
    }
    return published;
  }

  #stage(message: OutgoingMessage, staged: Staged[], journal: Journal): Published {
    const { clock, epochMs } = this.#settings;
    const now = clock.now();
    const settled = this.#settled(message.id, now);
    if (settled !== undefined) return settled;
    const { delayMs = 0, deduplication } = message;
    const pauseMs = pauseOf(delayMs, deduplication);
    const at = epochMs + now;
    const dueAt = pauseMs > 0 ? at + pauseMs : undefined;
    const fields = this.#fields(message, now);
    const entries: Entry[] = [];
    for (const group of this.groups.values()) {
      const item = stored(fields);
      const admission = group.admit(item, deduplication, now);
      if (admission === undefined) continue;
      staged.push({ group, item, message, admission });
      entries.push({ group: group.name, dueAt });
    }
    const kept = stored({ ...fields, expiresAt: epochMs + fields.expiresAt });
    journal.published(this.name, kept, entries, deduplication, at);
    return entries.length > 0 ? ok : duplicate;
  }

  /** What becomes of a message that is not taken; the id of one that is, is remembered. */
  #settled(id: string, now: number): Published | undefined {
    if (!this.#recent.add(id, now)) return duplicate;
    const { maxMessages } = this.#settings;
    for (const { size, name } of this.groups.values()) {
      if (size < maxMessages) continue;
      this.#recent.delete(id);
      return refusal(new QueueFullError(this.name, name, maxMessages));
    }
    return undefined;
  }

  #fields(message: OutgoingMessage, now: number): PublishedFields {
    const { id, headers, key, priority = 0, expiresInMs = Infinity } = message;
    const { clone, counter } = this.#settings;
    const body = clone ? new Uint8Array(message.body) : message.body;
    return { id, body, headers, key, priority, sequence: counter.next++, expiresAt: now + expiresInMs };
  }
}
