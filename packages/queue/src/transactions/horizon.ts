import { literal } from './tables/table-name.ts';

/** What the columns of `horizon` answer. */
export interface Look {
  /** All transactions with lower numbers are over. */
  readonly xmin: string;
  /** The look's own number, above those of all transactions that have written before it; null unless it was to mark. */
  readonly mark: string | null;
  /** JSON of the transactions that have written to the table and are not over; null unless they were asked for. */
  readonly writers: string | null;
}

/**
 * Columns that tell which transactions are open. The end of a snapshot is no mark: transactions that run may be above it.
 * Those that have written to a table are told by its locks: these cost the server more than a snapshot, which has a
 * transaction that wrote elsewhere too.
 *
 * @param marks SQL of whether the look takes a number
 * @param asks SQL of whether writers are asked for
 */
export function horizon(table: string, marks: string, asks: string): string {
  return `pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
    CASE WHEN ${marks} THEN pg_current_xact_id()::text END AS mark,
    CASE WHEN ${asks} THEN (SELECT coalesce(json_agg(l.virtualtransaction), '[]')::text FROM pg_locks AS l
      WHERE l.locktype = 'relation' AND l.relation = to_regclass(${literal(table)}) AND l.mode = 'RowExclusiveLock'
        AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
        AND l.pid IS DISTINCT FROM pg_backend_pid()) END AS writers`;
}

interface Marked<T> {
  readonly seen: T;
  readonly number: bigint;
  readonly writers: ReadonlySet<string> | undefined;
  readonly at: number;
}

/** Between two marks: each costs a number of a transaction. */
const markMs = 200;
/** A transaction that is open for so long is not waited for if it has written elsewhere only. */
const patienceMs = 1_000;

/**
 * The last of what was seen that all rows before are known of: each was written by a transaction that is over, and that is
 * seen by every statement that begins later. A transaction has its number and locks the table before its row gets a place
 * or a time.
 */
export class Horizon<T> {
  readonly #none: T;
  #safe: T;
  #pending: Marked<T> | undefined;
  #last: Marked<T> | undefined;
  #markedAt = -Infinity;
  #isStuck = false;

  constructor(none: T) {
    this.#none = none;
    this.#safe = none;
  }

  get safe(): T {
    return this.#safe;
  }

  /** Whether the next look is to mark. */
  marks(now: number = performance.now()): boolean {
    return now >= this.#markedAt + markMs;
  }

  /** Whether the next look is to ask for writers. */
  get asks(): boolean {
    return this.#isStuck;
  }

  /**
   * @param seen before the look
   * @returns what is safe for what the look itself has found: it may not see what writers did who ended during it
   */
  learn({ xmin, mark, writers }: Look, seen: T, now: number = performance.now()): T {
    const open = writers === null ? undefined : new Set(JSON.parse(writers) as string[]);
    const before = this.#safe;
    if (mark !== null) {
      this.#last = { seen, number: BigInt(mark), writers: open, at: now };
      this.#markedAt = now;
    }
    const pending = this.#pending;
    const isPast = pending !== undefined && BigInt(xmin) >= pending.number;
    if (pending !== undefined && !isPast && !areOver(pending.writers, open)) {
      this.#isStuck ||= now >= pending.at + patienceMs;
      if (pending.writers === undefined && this.#last?.writers !== undefined) this.#next();
      return before;
    }
    if (pending !== undefined) this.#safe = pending.seen;
    if (isPast) this.#isStuck = false;
    this.#next();
    return isPast ? this.#safe : before;
  }

  /** The server, its clock or the table is another. */
  forget(): void {
    this.#safe = this.#none;
    this.#pending = undefined;
    this.#last = undefined;
  }

  #next(): void {
    this.#pending = this.#last;
    this.#last = undefined;
  }
}

function areOver(writers: ReadonlySet<string> | undefined, open: ReadonlySet<string> | undefined): boolean {
  if (writers === undefined || open === undefined) return false;
  // One that is prepared for a two-phase commit may have got another name
  return ![...open].some(each => writers.has(each) || each.startsWith('-1/'));
}
