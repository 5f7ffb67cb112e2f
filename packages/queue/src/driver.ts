import type { CallOutcome } from '@ashlar/core';
import type { DeadLetter, DeadLetterPage, DeadLetterSelection } from './dead-letters.ts';

/** What a backend can do. An option that needs more is a type error, and an error at the call. */
export interface Capabilities {
  /** Holds a message back until its time: `delayMs`. */
  readonly delay: boolean;
  /** Hands out messages of higher `priority` first. */
  readonly priority: boolean;
  /** Several groups may each receive every message of a topic. */
  readonly fanout: boolean;
  /** A confirmed message outlives a crash of every process involved. */
  readonly durable: boolean;
  /** Hands out messages with the same key one at a time, in the order of their publishing: `ordered`. */
  readonly orderedKeys: boolean;
  /** Keeps dead letters that can be inspected, sent again and purged. */
  readonly deadLetters?: boolean;
  /** Counts deliveries apart from failures, so that crashes have a budget of their own: `crashes`. */
  readonly crashCount?: boolean;
  /** Takes a message that is published again with the same `id`, within the window it states, as one. */
  readonly uniqueIds?: boolean;
  /** Keeps one message of those with the same key: `deduplication`. */
  readonly deduplication?: boolean;
  /** Takes turns between keys, so that one with many messages does not hold up the others: `fair`. */
  readonly fairness?: boolean;
  /** Limits rate and concurrency, a group and a key, over all consumers: `limits`. */
  readonly limits?: boolean;
  /** Drops a message whose time is over before it is handed out: `expiresInMs`. */
  readonly expiry?: boolean;
  /** Knows single messages by their id: state, progress, result, and can cancel them. */
  readonly jobs?: boolean;
  /** Publishes within a transaction of the caller's database: `tx`. */
  readonly transactions?: boolean;
}

/** A message on its way to a backend. */
export interface OutgoingMessage {
  /** Unique among the messages of all topics; the same id again is the same message. */
  readonly id: string;
  readonly body: Uint8Array;
  /** Lower-case names; CloudEvents attributes are called `ce-…`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Partition and tenant. */
  readonly key?: string | undefined;
  /** Milliseconds from now. */
  readonly delayMs?: number | undefined;
  /** An integer from 0 to 9; 9 comes first, 0 is the default. */
  readonly priority?: number | undefined;
  /** Milliseconds from now, after which the message is dropped if it was not handed out. */
  readonly expiresInMs?: number | undefined;
  readonly deduplication?: Deduplication | undefined;
}

/**
 * Which of several messages with one key a group receives. The key is freed when its message is settled for good or its
 * time is over, in one step with that, so that it never outlives its message.
 */
export type Deduplication =
  /** The first, until it is acknowledged or dead; those published meanwhile are dropped. */
  | { readonly key: string; readonly mode: 'simple' }
  /** The first; those published within `ttlMs` after it are dropped. */
  | { readonly key: string; readonly mode: 'throttle'; readonly ttlMs: number }
  /** The last: each replaces the one that waits and is handed out `ttlMs` later, unless another follows. */
  | { readonly key: string; readonly mode: 'debounce'; readonly ttlMs: number };

/** What became of one message of a batch. `Unknown` may have been published: with the same id, it may be published again. */
export type Published =
  /** `isDuplicate`: every group had it, or one with the key of its `deduplication`, already. */
  | { readonly ok: true; readonly isDuplicate?: boolean }
  | { readonly ok: false; readonly outcome: 'NotExecuted' | 'Unknown'; readonly error: Error };

export interface PublishSettings {
  /** Accept messages that no group receives. They are dropped. Default: false. */
  readonly allowUnrouted?: boolean | undefined;
  /**
   * The caller's transaction, as it was given to `publish`; `transactionOf` makes it one that can be asked. The messages
   * are published if it commits, and only then. With the capability `transactions`.
   */
  readonly tx?: unknown;
}

export interface AckOptions {
  /** What the handler returned, to be kept for `find`. With the capability `jobs`. */
  readonly result?: Uint8Array;
}

export interface NackOptions {
  /** Milliseconds until the group may receive the message again. Default: 0. */
  readonly requeueAfterMs?: number;
  /** Move the message to the dead letters, for this reason. */
  readonly dead?: string;
  /** Whether this counts as a failure. `false` gives the message back as if it had never been handed out. Default: true. */
  readonly charge?: boolean;
}

/**
 * One message in the hands of one consumer, until it is settled by `ack` or `nack`, or its lease ends.
 *
 * `ack`, `nack` and `extend` reject with DeliveryLostError when the lease has ended: then another consumer may have the
 * message, and nothing was changed. They may be called once settled, and do nothing then.
 */
export interface Delivery {
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** The header `content-type`, where the backend can say it without reading the others. */
  readonly contentType?: string | undefined;
  /** How often the message was handed out to this group, this time included; those given back do not count. */
  readonly deliveries: number;
  /** How many of them ended in a charged `nack`. Absent where the backend cannot count: then all but this one are. */
  readonly failures?: number;
  readonly key?: string | undefined;
  ack(options?: AckOptions): Promise<void>;
  nack(options: NackOptions): Promise<void>;
  /** The lease ends `ms` milliseconds from now, by the backend's clock. */
  extend(ms: number): Promise<void>;
  /** Keeps how far the handler is, for `find`. With the capability `jobs`. */
  progress?(value: Uint8Array): Promise<void>;
}

/** A bucket of tokens: in any `t` milliseconds at most `count` + `t` × `count` / `perMs` start. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** What the consumers of a group may start together, in whichever processes they are. */
export interface Limits {
  readonly rate?: Rate | undefined;
  /** The same for each key. Messages without a key are not limited by it. */
  readonly keyRate?: Rate | undefined;
  /** How many messages of one key may be in hands at once. */
  readonly keyConcurrency?: number | undefined;
}

export interface ConsumeOptions {
  /** How many deliveries may be unsettled at once. The backend claims no more than there are free places. */
  readonly prefetch: number;
  /** Ends the iteration. What is unsettled stays with the consumer until its lease ends. */
  readonly signal: AbortSignal;
  readonly ordered?: boolean | undefined;
  readonly fair?: boolean | undefined;
  readonly limits?: Limits | undefined;
  /** To be called whenever the backend has answered that it is there and has the group, with or without a message. */
  readonly alive?: (() => void) | undefined;
}

/** What is known of one message of a group. */
export interface Job {
  /** `done` only while its result is kept. */
  readonly state: 'waiting' | 'delayed' | 'active' | 'done' | 'dead';
  readonly deliveries: number;
  readonly failures: number;
  readonly progress?: Uint8Array | undefined;
  readonly result?: Uint8Array | undefined;
  /** Why it is dead. */
  readonly reason?: string | undefined;
}

export interface GroupStats {
  /** Ready to be handed out. */
  readonly waiting: number;
  /** Held back, by their delay or after a failure. Absent where the backend does not say. */
  readonly delayed?: number | undefined;
  /** In the hands of consumers. Absent where the backend does not say. */
  readonly active?: number | undefined;
  readonly dead: number;
  /** How many consume, each iteration counted. Absent where the backend does not say. */
  readonly consumers?: number | undefined;
}

/**
 * What a backend must do; `Queue` does the rest. A driver belongs to one queue, which closes it.
 *
 * A message is published to each group that is declared for its topic; the consumers of one group share its messages.
 * Delivery is at least once: a message comes again until it is acknowledged or dead. Whatever is asked of a group that is not
 * there rejects with GroupGoneError, and makes none; a publish to a topic without groups fails with UnroutedError.
 * `queueConformance` of `@ashlar/queue/conformance` tests all of it.
 */
export interface Driver<K extends Capabilities = Capabilities> extends AsyncDisposable {
  /** For snapshots and messages: `memory`, `bullmq`. */
  readonly kind?: string;
  readonly capabilities: K;
  /** Milliseconds that a delivery stays with a consumer that does not extend it. Absent: as long as the connection. */
  readonly leaseMs?: number;
  /** Makes the group, for good; idempotent. When it has resolved, every later publish of any process reaches the group. */
  declare(topic: string, group: string): Promise<void>;
  /**
   * Resolves when the backend has confirmed or refused each message, in the order of the batch; rejects for none of
   * them. A message for several groups reaches all of them or, after a crash, none until it is published again. One with
   * `delayMs` may also reach the groups that are declared until its time has come.
   */
  publish(
    topic: string,
    batch: readonly OutgoingMessage[],
    settings?: PublishSettings,
  ): Promise<readonly Published[]>;
  /**
   * Deliveries of one group. It throws when the group is gone, and may throw when the connection is lost: the queue
   * iterates again, and what was handed out may still be settled. The call itself throws InvalidOptionError, at once, where the
   * driver can never consume as it was made: then `subscribe` rejects with that.
   */
  consume(topic: string, group: string, options: ConsumeOptions): AsyncIterable<Delivery>;
  /** Dead letters of a group, oldest first: fewer than the page may have only when there are no more. */
  inspect?(topic: string, group: string, page: DeadLetterPage): Promise<readonly DeadLetter[]>;
  /** Sends dead letters to their group again, with new budgets; returns how many. */
  redrive?(topic: string, group: string, selection: DeadLetterSelection): Promise<number>;
  /** Deletes dead letters; returns how many. */
  purge?(topic: string, group: string, selection: DeadLetterSelection): Promise<number>;
  stats?(topic: string, group: string): Promise<GroupStats>;
  /** Asks the backend whether it is there and has the group. @throws when not */
  probe?(topic: string, group: string): Promise<void>;
  /** Stops handing out messages of the group, to all consumers, until it is resumed. */
  pause?(topic: string, group: string): Promise<void>;
  resume?(topic: string, group: string): Promise<void>;
  /** Undefined when the message is unknown, or was acknowledged without a result. */
  find?(topic: string, group: string, id: string): Promise<Job | undefined>;
  /** Takes a message away that is not dead: whether there was one. The delivery of one in hands is lost. */
  cancel?(topic: string, group: string, id: string): Promise<boolean>;
}

/** A message that was surely not published. */
export function refusal(error: Error): Published {
  return { ok: false, outcome: 'NotExecuted', error };
}

/** What an error of a driver says of the call behind it. */
export function outcomeOf(error: unknown): Exclude<CallOutcome, 'Executed'> {
  const { outcome } = (error ?? {}) as { readonly outcome?: unknown };
  return outcome === 'NotExecuted' ? 'NotExecuted' : 'Unknown';
}
