import type { Row } from '../columns/column.ts';
import { DuplicateRowError, IndexBusyError } from '../errors/statements.ts';
import type { ShardKey } from '../keys/key-column.ts';
import { gather, type QueryScope } from '../queries/merging/gather.ts';
import type { MissingShard } from '../queries/merging/scatter.ts';
import type { Shards } from '../queries/shards.ts';
import type { Select } from '../tables/statement.ts';
import { type Entry, selectOf } from './entry.ts';
import { type Index, type Indexes, rowOf } from './index.ts';
import { IndexedWrites } from './indexed-writes.ts';
import { Notes } from './notes.ts';

const unhurried = { timeoutMs: 2 ** 31 - 1 };
/** How long a sweep looks through an index for claims that are not confirmed, in milliseconds: there are few. */
const settleMs = 60_000;
/** Of a shard at which so many claims could not be settled, no more are tried. */
const mostFailures = 3;

/** What an index did not have right, since somebody wrote past it, or died. */
export interface IndexReport {
  /** Rows and entries that were looked at. */
  readonly rows: number;
  readonly entries: number;
  /** Primary keys of rows that an index did not find, or found by other values: it does now. */
  readonly repaired: readonly Readonly<Record<string, unknown>>[];
  /** Entries without a row, which are gone now. */
  readonly removed: number;
  /** Primary keys of rows that have the value of another row in a unique index. They stay as they are, and are not found by it. */
  readonly conflicts: readonly { readonly index: string; readonly row: Readonly<Record<string, unknown>> }[];
}

/** Looks after the indexes of a table. */
export class IndexAudit<C> {
  readonly #shards: Shards<C>;
  readonly #indexes: Indexes;
  readonly #writes: IndexedWrites<C>;

  constructor(shards: Shards<C>, indexes: Indexes) {
    this.#shards = shards;
    this.#indexes = indexes;
    this.#writes = new IndexedWrites(shards, indexes);
  }

  /**
   * Settles claims that are older than this, whose writes have ended without confirming them, and releases what rows have not any more. Where a shard fails, goes on with those of the
   * others. Returns what failed.
   */
  async settle(olderThanMs: number, signal?: AbortSignal): Promise<readonly MissingShard[]> {
    const failed: MissingShard[] = [];
    for (const index of this.#indexes.all) {
      const unsure = selectOf(index.entries, [{ column: 'live', op: '=', value: false }]);
      for await (const row of this.#all(
        unsure,
        { timeoutMs: settleMs, onShardError: 'partial', signal },
        failed,
      )) {
        const entry = row as unknown as Entry;
        if (Date.now() - Number(entry.at) < olderThanMs) continue;
        const key = index.table.keyOf(rowOf(index.table, entry.row));
        await this.#tried(key, failed, () => this.#writes.claiming.settle(index, entry));
      }
    }
    await this.#released(failed, signal);
    return failed;
  }

  /** Releases the entries of claims that are gone, and then takes their notes away. */
  async #released(failed: MissingShard[], signal?: AbortSignal): Promise<void> {
    const { claims } = this.#indexes;
    const { claiming } = this.#writes;
    const notes = new Notes(this.#indexes);
    const gone = selectOf(claims, [{ column: 'ashlar_gone', op: '=', value: true }]);
    const scope = { timeoutMs: settleMs, onShardError: 'partial', signal } as const;
    for await (const note of this.#all(gone, scope, failed)) {
      const claim = notes.claimOf(note);
      const { index, value } = claim ?? {};
      // Of an index that there is not any more, nothing is left but the note
      const at = index === undefined ? claims.keyOf(note) : index.entries.keyOf(index.keyOf(value!));
      await this.#tried(at, failed, async () => {
        if (claim !== undefined) await claiming.release(claim);
        await claiming.forget(this.#indexes.keyOf(note), note['ashlar_claim'] as string);
      });
    }
  }

  /** Of a shard at which it has failed too often, no more is tried. */
  async #tried(key: ShardKey, failed: MissingShard[], work: () => Promise<unknown>): Promise<void> {
    const { shard } = this.#shards.routes().of(key);
    if (failed.filter(each => each.shard === shard).length >= mostFailures) return;
    try {
      await work();
    } catch (error) {
      failed.push({ shard, error });
    }
  }

  /** Compares all rows with all entries, and puts right what can be. */
  async check(): Promise<IndexReport> {
    const { table, all } = this.#indexes;
    const { claiming } = this.#writes;
    const report = {
      rows: 0,
      entries: 0,
      repaired: [] as Row[],
      removed: 0,
      conflicts: [] as IndexReport['conflicts'][number][],
    };
    for await (const row of this.#rows()) {
      report.rows++;
      const primaryKey = Object.fromEntries(table.spec.primaryKey.map(column => [column, row[column]]));
      try {
        if (await this.#writes.reconcile(primaryKey)) report.repaired.push(primaryKey);
      } catch (error) {
        // Another write is about it, and leaves it right
        if (error instanceof IndexBusyError) continue;
        if (!(error instanceof DuplicateRowError)) throw error;
        for (const index of all) {
          const value = index.valueOf(row);
          if (!index.isUnique || value === undefined) continue;
          const found = await claiming.entries(index, value);
          if (found.every(({ id }) => id !== table.identity(row)))
            report.conflicts.push({ index: index.name, row: primaryKey });
        }
      }
    }
    for (const index of all) {
      const live = selectOf(index.entries, [{ column: 'live', op: '=', value: true }]);
      for await (const entry of this.#all(live, unhurried, [])) {
        report.entries++;
        report.removed += await this.#removed(index, entry as unknown as Entry);
      }
    }
    return report;
  }

  /** Takes an entry away whose row is not there, with all those of that row. Returns how many. */
  async #removed(index: Index, entry: Entry): Promise<number> {
    const { claiming } = this.#writes;
    if (await claiming.isNoted(entry)) return this.#writes.forget(rowOf(index.table, entry.row));
    await claiming.release({ index, value: entry.value, claim: entry.claim });
    return 1;
  }

  #rows(): AsyncGenerator<Row> {
    return this.#all(selectOf(this.#indexes.table, []), unhurried, []);
  }

  /** @param missing takes note of shards that failed, where the scope lets them */
  async *#all(query: Select, scope: QueryScope, missing: MissingShard[]): AsyncGenerator<Row> {
    const asked = { shards: this.#shards, query, isEverywhere: true };
    for await (const rows of gather(asked, { consistency: 'strong', ...scope }, missing)) yield* rows;
  }
}
