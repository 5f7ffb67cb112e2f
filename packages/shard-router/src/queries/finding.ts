import { Backoff } from '@ashlar/core';
import type { ReadScope } from '@ashlar/replica-failover/executor';
import { execute } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import { IndexBusyError, InvalidQueryError } from '../errors/statements.ts';
import { type Entry, formerOf, selectOf } from '../indexes/entry.ts';
import { equalTo, type Index, rowOf } from '../indexes/index.ts';
import type { Shards } from './shards.ts';

/** Rows that an index may find at once. */
const mostFound = 1_000;

/** How often entries are read again since a row was not where they said: as often as a row may be moved in the time of one call. */
const mostRounds = 5;

/** The rows with these values in an index. @throws InvalidQueryError */
export async function findBy<C>(
  shards: Shards<C>,
  index: Index,
  values: Row,
  scope?: ReadScope,
): Promise<readonly Row[]> {
  const { table, entries, columns } = index;
  const others = Object.keys(values).filter(column => !columns.includes(column));
  const value = index.valueOf(values);
  if (value === undefined || others.length > 0)
    throw new InvalidQueryError(
      `the index ${index.name} of ${table.name} finds rows by ${columns.join(', ')}, all of them and not null`,
    );
  const query = { ...selectOf(entries, index.where(value)), limit: mostFound + 1 };
  const key = entries.keyOf(index.keyOf(value));
  const listed = async () => {
    const found = await shards.on([key]).read(client => execute(client, query), scope);
    if (found.count <= mostFound) return found.rows as unknown as readonly Entry[];
    throw new InvalidQueryError(`the index ${index.name} of ${table.name} finds more than ${mostFound} rows`);
  };
  const at = async (text: string) => {
    const primaryKey = rowOf(table, text);
    const select = selectOf(table, equalTo(primaryKey));
    const { rows } = await shards
      .on([table.keyOf(primaryKey)])
      .read(client => execute(client, select), scope);
    // An entry may be of a row that is not yet there, or not any more
    return rows.find(row => index.valueOf(row) === value);
  };
  return new Finding(shards, index, listed, at).rows(scope);
}

/**
 * Follows entries to their rows. A row may be moved between the read of its entry and its own, so that what is not found is looked for once more; and
 * for a moment of a transaction over several shards, neither place has it.
 */
class Finding<C> {
  readonly #shards: Shards<C>;
  readonly #index: Index;
  readonly #listed: () => Promise<readonly Entry[]>;
  readonly #at: (text: string) => Promise<Row | undefined>;
  /** What was found, by claim: undefined where nothing was. */
  readonly #seen = new Map<string, Row | undefined>();

  constructor(
    shards: Shards<C>,
    index: Index,
    listed: () => Promise<readonly Entry[]>,
    at: (text: string) => Promise<Row | undefined>,
  ) {
    this.#shards = shards;
    this.#index = index;
    this.#listed = listed;
    this.#at = at;
  }

  /** @throws IndexBusyError when a row that is being moved is nowhere for too long */
  async rows(scope: ReadScope = {}): Promise<readonly Row[]> {
    const { clock, inDoubtMs = 0 } = this.#shards;
    const pauses = new Backoff({ firstMs: 5, maxMs: 100 });
    const until = (clock?.now() ?? 0) + (scope.timeoutMs ?? inDoubtMs);
    for (let round = 1; ; ) {
      const entries = await this.#listed();
      const unseen = entries.filter(({ claim }) => !this.#seen.has(claim));
      const lost = (await Promise.all(unseen.map(each => this.#look(each)))).filter(
        each => each !== undefined,
      );
      if (clock === undefined || lost.length === 0) return this.#found(entries);
      if (!lost.some(isMoving)) {
        if (++round > mostRounds) return this.#found(entries);
        continue;
      }
      const { name, table } = this.#index;
      if (clock.now() >= until) throw new IndexBusyError(table.name, name);
      for (const { claim } of lost.filter(isMoving)) this.#seen.delete(claim);
      await clock.sleep(pauses.nextMs(), scope.signal);
    }
  }

  /** Reads the row of an entry, which is returned where there is none. */
  async #look(entry: Entry): Promise<Entry | undefined> {
    const row = (await this.#at(entry.row)) ?? (isMoving(entry) ? await this.#before(entry) : undefined);
    this.#seen.set(entry.claim, row);
    return row === undefined ? entry : undefined;
  }

  #before({ former }: Entry): Promise<Row | undefined> {
    return this.#at(formerOf(former)!.row);
  }

  /** The rows of these entries, each once. */
  #found(entries: readonly Entry[]): readonly Row[] {
    const { table } = this.#index;
    const rows = new Map<string, Row>();
    for (const { claim } of entries) {
      const row = this.#seen.get(claim);
      if (row !== undefined) rows.set(table.identity(row), row);
    }
    for (const { claim, id, former } of entries) {
      const row = this.#seen.get(claim);
      // It is there already, and may not yet be gone from where it was
      if (former !== '' && row !== undefined && table.identity(row) === id) rows.delete(formerOf(former)!.id);
    }
    return [...rows.values()];
  }
}

/** Whether the row of an entry may still be where it was before. */
function isMoving({ live, former }: Entry): boolean {
  return !live && former !== '';
}
