import {
  durationMs,
  functionOf,
  integer,
  objectWith,
  oneOf,
  type Rule,
  type RulesFor,
  readOptions,
  record,
  required,
  text,
} from '@ashlar/core';
import type { maxTtlMs, Store } from '@ashlar/store';
import type { PendingWrite } from './pending-writes.ts';

/**
 * Writes the source, all or nothing as far as it can: a batch that rejects is written again, in part or whole. No batch
 * has a key twice, and no two batches are under way at once. The signal aborts when the cache is closed and
 * `closeTimeoutMs` is over, and when another process takes the journal.
 */
export type WriteBatch<K, V> = (
  batch: readonly PendingWrite<K, V>[],
  context: { readonly signal: AbortSignal },
) => Promise<void>;

export interface WriteBehindOptions<K, V> {
  readonly write: WriteBatch<K, V>;
  /** The most keys that wait to be written. Default: 10 000. */
  readonly maxPending?: number;
  /** What `set` does at `maxPending`: wait for a place, or reject with BacklogFullError. Default: `'wait'`. */
  readonly whenFull?: 'wait' | 'reject';
  /** How long a write waits for others to go with it, in milliseconds. Default: 1 000. */
  readonly maxDelayMs?: number;
  /** The most writes in a batch. Default: 500. */
  readonly maxBatch?: number;
  /** The longest pause after a first failure, in milliseconds; it doubles with each further one. Default: 100. */
  readonly backoffMs?: number;
  /** The longest pause of all, in milliseconds. Default: 30 000. */
  readonly maxBackoffMs?: number;
  /** How long `close` goes on writing, in milliseconds. Default: 10 000. */
  readonly closeTimeoutMs?: number;
  /** Keeps pending writes, so that a crash loses no more than the store does. Default: none. */
  readonly journal?: JournalOptions;
}

export interface JournalOptions {
  readonly store: Store;
  /**
   * Names the journal: its lease, and its keys in the store, which begin with it in quotation marks. One process at a
   * time has it. No other key of the store is read or changed.
   */
  readonly prefix: string;
  /**
   * How long the store keeps the journal for a process that does not renew its lease, in milliseconds; several times the
   * store's `timeoutMs`. A process that loses the journal, as after a long stop, writes no more and takes it again when
   * it can. Default: 10 000.
   */
  readonly leaseMs?: number;
  /** How long a start waits for another process, in milliseconds, before it rejects with JournalTakenError. Default: 15 000. */
  readonly waitMs?: number;
}

/** The longest lease of a store. As a type, because the store is only loaded with the first journal. */
const maxLeaseMs: typeof maxTtlMs = 3_155_760_000_000;

const advisedStore = "write `store: memoryStore()`, or a `redisStore` or `postgresStore` of '@ashlar/store'";

const journalRule = record({
  store: required(objectWith<Store>(['get', 'set', 'delete', 'list', 'claim', 'release'], advisedStore)),
  prefix: required(text()),
  leaseMs: durationMs(10_000, { min: 100, max: maxLeaseMs }),
  waitMs: durationMs(15_000),
} satisfies RulesFor<JournalOptions>);

/** Checked and complete. */
export type JournalSettings = Required<JournalOptions>;

const optionalJournal: Rule<JournalSettings | undefined> = (value, option) =>
  value === undefined ? undefined : journalRule(value, option);

/** Checked and complete; a journal is optional. */
export type WriteBehindSettings<K, V> = Required<Omit<WriteBehindOptions<K, V>, 'journal'>> & {
  readonly journal: JournalSettings | undefined;
};

const rules = {
  write: required(functionOf<WriteBatch<never, never>>(), 'what writes a batch to the source'),
  maxPending: integer(10_000, { min: 1 }),
  whenFull: oneOf('wait', ['wait', 'reject']),
  maxDelayMs: durationMs(1_000),
  maxBatch: integer(500, { min: 1 }),
  backoffMs: durationMs(100, { above: 0 }),
  maxBackoffMs: durationMs(30_000, { above: 0 }),
  closeTimeoutMs: durationMs(10_000),
  journal: optionalJournal,
} satisfies RulesFor<WriteBehindOptions<never, never>>;

/** @throws InvalidOptionError */
export function readWriteBehindOptions<K, V>(options: WriteBehindOptions<K, V>): WriteBehindSettings<K, V> {
  return readOptions('writeBehind', options, rules) as WriteBehindSettings<K, V>;
}
