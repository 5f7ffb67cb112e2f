import type { DeadLetter } from '../dead-letters.ts';
import type { Deduplication, Job } from '../driver.ts';
import type { Stored } from './group/stored.ts';

/** One group of one topic. */
export interface Place {
  readonly topic: string;
  readonly name: string;
}

/** Where a message that is published goes. */
export interface Entry {
  readonly group: string;
  /** When it may be handed out; absent when at once. */
  readonly dueAt: number | undefined;
}

/**
 * Is told what becomes of the messages of a memory driver, so that they can outlive its process. Every change is told with
 * its result and not as a difference, so that to be told of it twice does no harm. Times are in milliseconds since the epoch.
 */
export interface Journal {
  declared(place: Place): void;
  /** For the groups of `entries`; none of them when all have one with the key of its `deduplication`. */
  published(
    topic: string,
    item: Stored,
    entries: readonly Entry[],
    deduplication: Deduplication | undefined,
    at: number,
  ): void;
  taken(place: Place, item: Stored, receipt: number): void;
  /** It waits again, until `dueAt` when there is one; `isRetry` when it pauses after a failure. */
  returned(place: Place, item: Stored, dueAt: number | undefined, isRetry: boolean): void;
  /** It is there no more. */
  settled(place: Place, item: Stored, result: Job | undefined): void;
  buried(place: Place, letter: DeadLetter): void;
  redriven(place: Place, item: Stored): void;
  purged(place: Place, ids: readonly string[]): void;
  paused(place: Place, isPaused: boolean): void;
  progressed(place: Place, item: Stored): void;
  /** Resolves when all that was published so far is kept. When it rejects, none of what it did not resolve for is. */
  confirmed(): Promise<void>;
  /** Resolves when all that was told so far is kept. */
  kept(): Promise<void>;
  /** Why nothing more is to be begun: too much waits to be kept, or nothing can be kept any more. */
  refusal(): Error | undefined;
}

/** A message of a group, as it is kept. Times are in milliseconds since the epoch. */
export interface SavedItem {
  readonly message: Pick<Stored, 'id' | 'body' | 'headers' | 'key' | 'priority' | 'sequence' | 'expiresAt'>;
  state: 'waiting' | 'delayed' | 'active';
  deliveries: number;
  failures: number;
  progress: Uint8Array | undefined;
  /** While `delayed`. */
  dueAt: number;
  isRetry: boolean;
  /** While `active`. */
  receipt: number;
}

export interface SavedGroup {
  readonly items: Map<string, SavedItem>;
  readonly dead: Map<string, DeadLetter>;
  readonly results: Map<string, Job>;
  /** The keys of deduplication: who holds them, and until when whatever became of it. */
  readonly keys: Map<string, { readonly id: string; readonly until: number }>;
  isPaused: boolean;
}

export interface SavedTopic {
  readonly groups: Map<string, SavedGroup>;
  /** The ids that were published, the oldest first, and when. */
  readonly recent: Map<string, number>;
}

export type Saved = Map<string, SavedTopic>;
