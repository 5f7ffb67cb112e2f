import {
  describe,
  InvalidOptionError,
  integerOption,
  knownOptions,
  numberOption,
  systemClock,
} from '@ashlar/core';
import type { WriteStrategy } from '../write-strategy.ts';
import { Backlog, type BacklogSettings } from './backlog.ts';
import { BehindWriter } from './behind-writer.ts';
import { Journal, type JournalOptions } from './journal.ts';
import type { PendingWrite } from './pending-writes.ts';

export interface WriteBehindOptions<K, V> {
  /**
   * Writes the source, all or nothing as far as it can: a batch that rejects is written again, in part or whole. No key is
   * twice in a batch, and no two batches are under way at once. Aborts when the cache is closed and its time is over, and when the
   * journal is lost to another process.
   */
  readonly write: (
    batch: readonly PendingWrite<K, V>[],
    context: { readonly signal: AbortSignal },
  ) => Promise<void>;
  /** The most keys that wait to be written. 10 000 by default. */
  readonly maxPending?: number;
  /** What `set` does when there are that many: waits for a place, by default, or rejects with BacklogFullError. */
  readonly whenFull?: 'wait' | 'reject';
  /** How long a write waits for others to go with it. 1 000 by default. */
  readonly maxDelayMs?: number;
  /** The most writes in a batch. 500 by default. */
  readonly maxBatch?: number;
  /** A failed batch is tried again after that time, then twice that, and so on. 100 by default. */
  readonly backoffMs?: number;
  /** The longest time between two tries. 30 000 by default. */
  readonly maxBackoffMs?: number;
  /** How long `close` goes on writing. 10 000 by default. */
  readonly closeTimeoutMs?: number;
  /** Keeps what is pending, so that a crash loses no more than the store does. */
  readonly journal?: JournalOptions;
}

const names = [
  ...['write', 'maxPending', 'whenFull', 'maxDelayMs', 'maxBatch', 'backoffMs', 'maxBackoffMs'],
  ...['closeTimeoutMs', 'journal'],
];

/**
 * `set` resolves when the write is accepted (and in the journal); the source gets it later, together with others. The
 * writes of a key that wait become one, its last. What fails is tried again until the cache is closed.
 */
export function writeBehind<K, V>(options: WriteBehindOptions<K, V>): WriteStrategy<K, V> {
  knownOptions('writeBehind', options, names);
  const { write, journal, whenFull = 'wait' } = options;
  if (typeof write !== 'function') {
    throw new InvalidOptionError('write', `\`write\` must be a function, got ${describe(write)}`);
  }
  if (whenFull !== 'wait' && whenFull !== 'reject') {
    const got = describe(whenFull);
    throw new InvalidOptionError('whenFull', `\`whenFull\` must be 'wait' or 'reject', got ${got}`);
  }
  if (journal !== undefined) checkJournal(journal);
  const settings: BacklogSettings = {
    maxPending: integerOption('maxPending', options.maxPending ?? 10_000, { min: 1 }),
    whenFull,
    maxDelayMs: numberOption('maxDelayMs', options.maxDelayMs ?? 1_000, { min: 0 }),
    maxBatch: integerOption('maxBatch', options.maxBatch ?? 500, { min: 1 }),
    backoffMs: numberOption('backoffMs', options.backoffMs ?? 100, { above: 0 }),
    maxBackoffMs: numberOption('maxBackoffMs', options.maxBackoffMs ?? 30_000, { above: 0 }),
    closeTimeoutMs: numberOption('closeTimeoutMs', options.closeTimeoutMs ?? 10_000, { min: 0 }),
  };
  return {
    kind: 'writeBehind',
    needsText: journal !== undefined,
    open(context) {
      const { name, random, clock = systemClock } = context;
      const kept = journal && new Journal<K, V>({ leaseMs: 10_000, waitMs: 15_000, ...journal, context });
      const newBacklog = () =>
        new Backlog<K, V>({
          ...settings,
          cache: name,
          clock,
          random,
          write,
          mayWrite: () => kept?.isHeld !== false,
          written: async items => {
            await context.changed(items.map(({ id }) => id));
            await kept?.forget(items);
          },
        });
      return new BehindWriter(context, newBacklog, kept);
    },
  };
}

/** As that of a `Lease`, which is only loaded for a journal that is opened. */
const maxLeaseMs = 3_155_760_000_000;

function checkJournal(journal: JournalOptions): void {
  knownOptions('journal', journal, ['store', 'prefix', 'leaseMs', 'waitMs']);
  const { store, prefix, leaseMs = 10_000, waitMs = 15_000 } = journal;
  if (typeof prefix !== 'string' || prefix === '') {
    throw new InvalidOptionError(
      'journal.prefix',
      `\`journal.prefix\` must be a string, got ${describe(prefix)}`,
    );
  }
  if (typeof store?.set !== 'function' || typeof store.claim !== 'function') {
    throw new InvalidOptionError(
      'journal.store',
      `\`journal.store\` must be a Store, got ${describe(store)}`,
    );
  }
  numberOption('journal.leaseMs', leaseMs, { min: 100, max: maxLeaseMs });
  numberOption('journal.waitMs', waitMs, { min: 0 });
}
