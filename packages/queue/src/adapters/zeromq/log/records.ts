import type { DeadLetter } from '../../../dead-letters.ts';
import type { Deduplication, Job } from '../../../driver.ts';
import type { Stored } from '../../../memory/group/stored.ts';
import type { Entry, Place, Saved, SavedGroup, SavedItem, SavedTopic } from '../../../memory/journal.ts';
import type { Part } from '../../../memory/saving.ts';
import { encodeFrame, type Frame } from './frames.ts';

type Message = SavedItem['message'];
/** Without its body, and without an end that is infinite, which JSON cannot say. */
type WireMessage = Omit<Message, 'body' | 'expiresAt'> & { readonly expiresAt: number | null };

/** What a record of the log says. Its first item tells which; the topic follows, and the group. */
type LogRecord =
  | ['declared', string, string]
  | ['published', string, WireMessage, readonly Entry[], Deduplication | null, number]
  | ['taken', string, string, string, receipt: number, deliveries: number]
  | ['returned', string, string, string, deliveries: number, failures: number, dueAt: number | null, boolean]
  | ['settled', string, string, string, Job | null]
  | ['buried', string, string, string, Omit<DeadLetter, 'body'>]
  | ['redriven', string, string, WireMessage]
  | ['purged', string, string, readonly string[]]
  | ['paused', string, string, boolean]
  | ['progressed', string, string, string]
  | ['item', string, string, WireMessage, Omit<SavedItem, 'message' | 'progress'>, bodyBytes: number]
  | ['letter', string, string, Omit<DeadLetter, 'body'>]
  | ['job', string, string, string, Job, progressBytes: number]
  | ['key', string, string, key: string, id: string, until: number]
  | ['recent', string, ids: readonly string[], at: number];

function wire({ id, headers, key, priority, sequence, expiresAt }: Message): WireMessage {
  return {
    id,
    headers,
    key,
    priority,
    sequence,
    expiresAt: Number.isFinite(expiresAt) ? expiresAt : null,
  };
}

function bodiless({ body: _, ...rest }: DeadLetter): Omit<DeadLetter, 'body'> {
  return rest;
}

function record(head: LogRecord, bytes?: Uint8Array): Buffer {
  return encodeFrame(head, bytes);
}

function join(...parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  return Buffer.concat(parts.filter(part => part !== undefined));
}

/** The records of a journal. */
export const records = {
  declared: ({ topic, name }: Place): Buffer => record(['declared', topic, name]),
  published: (
    topic: string,
    item: Stored,
    entries: readonly Entry[],
    deduplication: Deduplication | undefined,
    at: number,
  ): Buffer => record(['published', topic, wire(item), entries, deduplication ?? null, at], item.body),
  taken: ({ topic, name }: Place, { id, deliveries }: Stored, receipt: number): Buffer =>
    record(['taken', topic, name, id, receipt, deliveries]),
  returned: ({ topic, name }: Place, item: Stored, dueAt: number | undefined, isRetry: boolean): Buffer =>
    record(['returned', topic, name, item.id, item.deliveries, item.failures, dueAt ?? null, isRetry]),
  settled: ({ topic, name }: Place, { id }: Stored, job: Job | undefined): Buffer =>
    job === undefined
      ? record(['settled', topic, name, id, null])
      : record(
          ['job', topic, name, id, without(job), job.progress?.byteLength ?? -1],
          join(job.progress, job.result),
        ),
  buried: ({ topic, name }: Place, letter: DeadLetter): Buffer =>
    record(['buried', topic, name, letter.id, bodiless(letter)]),
  redriven: ({ topic, name }: Place, item: Stored): Buffer =>
    record(['redriven', topic, name, wire(item)], item.body),
  purged: ({ topic, name }: Place, ids: readonly string[]): Buffer => record(['purged', topic, name, ids]),
  paused: ({ topic, name }: Place, isPaused: boolean): Buffer => record(['paused', topic, name, isPaused]),
  progressed: ({ topic, name }: Place, { id, progress }: Stored): Buffer =>
    record(['progressed', topic, name, id], progress),
};

function without({ progress: _, result: __, ...job }: Job): Job {
  return job;
}

/** The record of something that is there. */
export function partRecord(topic: string, group: string, part: Part | undefined): Buffer {
  if (part === undefined) return record(['declared', topic, group]);
  if ('item' in part) {
    const { message, progress, ...state } = part.item;
    const { body } = message;
    return record(['item', topic, group, wire(message), state, body.byteLength], join(body, progress));
  }
  if ('letter' in part) return record(['letter', topic, group, bodiless(part.letter)], part.letter.body);
  if ('job' in part) {
    const { id, job } = part;
    const length = job.progress?.byteLength ?? -1;
    return record(['job', topic, group, id, without(job), length], join(job.progress, job.result));
  }
  if ('key' in part) return record(['key', topic, group, part.key, part.id, part.until]);
  return record(['paused', topic, group, part.isPaused]);
}

export function recentRecord(topic: string, ids: readonly string[], at: number): Buffer {
  return record(['recent', topic, ids, at]);
}

/**
 * Makes the state what the record says; to read a record twice, or one whose message is gone, does no harm.
 *
 * @returns whether it is a record of this version
 */
export function apply(saved: Saved, { head, bytes }: Frame): boolean {
  const [type, topicName, ...rest] = head as LogRecord;
  const topic = topicOf(saved, topicName);
  if (type === 'recent') {
    const [ids, at] = rest as [readonly string[], number];
    for (const id of ids) remember(topic, id, at);
    return true;
  }
  if (type === 'published') {
    applyPublished(topic, rest as never, bytes);
    return true;
  }
  const [groupName, ...facts] = rest as [string, ...unknown[]];
  return applyToGroup(groupOf(topic, groupName), type, facts, bytes);
}

function applyPublished(
  topic: SavedTopic,
  [message, entries, deduplication, at]: [WireMessage, readonly Entry[], Deduplication | null, number],
  body: Uint8Array,
): void {
  remember(topic, message.id, at);
  for (const { group: name, dueAt } of entries) {
    const group = groupOf(topic, name);
    group.items.set(message.id, fresh(message, body, dueAt));
    if (deduplication === null) continue;
    const { key, mode } = deduplication;
    group.keys.set(key, { id: message.id, until: mode === 'throttle' ? at + deduplication.ttlMs : 0 });
  }
}

function fresh(message: WireMessage, body: Uint8Array, dueAt?: number): SavedItem {
  return {
    message: whole(message, body),
    state: dueAt === undefined ? 'waiting' : 'delayed',
    deliveries: 0,
    failures: 0,
    progress: undefined,
    dueAt: dueAt ?? 0,
    isRetry: false,
    receipt: 0,
  };
}

function whole(message: WireMessage, body: Uint8Array): Message {
  return { ...message, key: message.key, body, expiresAt: message.expiresAt ?? Infinity };
}

function applyToGroup(
  group: SavedGroup,
  type: string,
  facts: readonly unknown[],
  bytes: Uint8Array,
): boolean {
  switch (type) {
    case 'declared':
      break;
    case 'taken': {
      const [id, receipt, deliveries] = facts as [string, number, number];
      const item = group.items.get(id);
      if (item !== undefined) Object.assign(item, { state: 'active', receipt, deliveries });
      break;
    }
    case 'returned': {
      const [id, deliveries, failures, dueAt, isRetry] = facts as [
        string,
        number,
        number,
        number | null,
        boolean,
      ];
      const item = group.items.get(id);
      const state = dueAt === null ? 'waiting' : 'delayed';
      if (item !== undefined) {
        Object.assign(item, { state, deliveries, failures, dueAt: dueAt ?? 0, isRetry, receipt: 0 });
      }
      break;
    }
    case 'settled':
      group.items.delete(facts[0] as string);
      break;
    case 'job': {
      const [id, job, length] = facts as [string, Job, number];
      const progress = length < 0 ? {} : { progress: bytes.slice(0, length) };
      group.items.delete(id);
      group.results.delete(id);
      group.results.set(id, { ...job, ...progress, result: bytes.slice(Math.max(0, length)) });
      break;
    }
    case 'buried': {
      const [id, letter] = facts as [string, Omit<DeadLetter, 'body'>];
      const item = group.items.get(id);
      if (item === undefined) break;
      group.items.delete(id);
      group.dead.delete(id);
      group.dead.set(id, { ...letter, body: item.message.body });
      break;
    }
    case 'letter': {
      const letter = facts[0] as Omit<DeadLetter, 'body'>;
      group.dead.set(letter.id, { ...letter, body: bytes });
      break;
    }
    case 'redriven': {
      const message = facts[0] as WireMessage;
      group.dead.delete(message.id);
      group.items.set(message.id, fresh(message, bytes));
      break;
    }
    case 'purged':
      for (const id of facts[0] as readonly string[]) group.dead.delete(id);
      break;
    case 'paused':
      group.isPaused = facts[0] as boolean;
      break;
    case 'progressed': {
      const item = group.items.get(facts[0] as string);
      if (item !== undefined) item.progress = bytes;
      break;
    }
    case 'item': {
      const [message, state, length] = facts as [
        WireMessage,
        Omit<SavedItem, 'message' | 'progress'>,
        number,
      ];
      const progress = bytes.byteLength > length ? bytes.slice(length) : undefined;
      group.items.set(message.id, { ...state, message: whole(message, bytes.slice(0, length)), progress });
      break;
    }
    case 'key': {
      const [key, id, until] = facts as [string, string, number];
      group.keys.set(key, { id, until });
      break;
    }
    default:
      return false;
  }
  return true;
}

function remember({ recent }: SavedTopic, id: string, at: number): void {
  recent.delete(id);
  recent.set(id, at);
}

function topicOf(saved: Saved, name: string): SavedTopic {
  let topic = saved.get(name);
  if (topic === undefined) {
    topic = { groups: new Map(), recent: new Map() };
    saved.set(name, topic);
  }
  return topic;
}

function groupOf({ groups }: SavedTopic, name: string): SavedGroup {
  let group = groups.get(name);
  if (group === undefined) {
    group = { items: new Map(), dead: new Map(), results: new Map(), keys: new Map(), isPaused: false };
    groups.set(name, group);
  }
  return group;
}
