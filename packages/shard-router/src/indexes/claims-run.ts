import type { Row } from '../columns/column.ts';
import { DuplicateRowError, TransactionOverError } from '../errors/statements.ts';
import { Turns } from '../running/turns.ts';
import { type Claimed, type Former, formerOf } from './entry.ts';
import { type Claim, type Index, type Indexes, textOf } from './index.ts';
import { Changed, type Gone, type Kept } from './notes.ts';

/** Thrown at the end of the work of a transaction, so that it is rolled back: its rows need claims that are not made. */
export class Unclaimed extends Error {}

/** What a row of a transaction needs. */
export interface Need {
  readonly indexes: Indexes;
  readonly index: Index;
  readonly value: string;
  readonly row: Row;
  /** Names the row. */
  readonly id: string;
}

/** A claim that was made for a transaction before this run of its work. */
export type Held = Need & Claimed;

/** A claim that a row of the transaction had before, and has not any more. */
type Removed = Gone & Former & { readonly indexes: Indexes };

/** As `Need`, and whose place its row takes. */
export type Missing = Need & { readonly former: Former | undefined };

/**
 * The claims of one run of a transaction's work. Rows are written with notes of the claims that were made for them, or else of ones that are
 * made up: then the run ends with what is missing, and is rolled back.
 */
export class ClaimsRun {
  readonly #held: ReadonlyMap<string, Held>;
  readonly #turns = new Turns();
  /** By claim. */
  readonly #noted = new Map<string, Need>();
  readonly #removed = new Map<string, Removed>();
  /** Claims whose notes this run has made void, since its rows have them no more. */
  readonly #gone = new Set<string>();
  readonly #madeUp = new Set<string>();
  /** Which row a moved one was, by their names. */
  readonly #moved = new Map<string, string>();
  #failure: { readonly error: unknown } | undefined;
  #isSealed = false;
  #isDone = false;

  constructor(held: readonly Held[]) {
    this.#held = new Map(held.map(each => [nameOf(each), each]));
  }

  /** One write at a time, since each is several statements. One that has failed may have done a part: the transaction fails with it. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const over = await this.#turns.take();
    try {
      return await work();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      over();
    }
  }

  /** A claim for a row that has none of this value, of which a note is to be written. */
  claimOf(indexes: Indexes, index: Index, value: string, row: Row): Kept {
    const need = { indexes, index, value, row, id: index.table.identity(row) };
    const held = this.#held.get(nameOf(need));
    const claim = held?.claim ?? globalThis.crypto.randomUUID();
    // The row has lost it since, and not in this run
    if (held?.isKept === true && !this.#removed.has(claim)) throw new Changed();
    if (held === undefined) this.#madeUp.add(claim);
    this.#noted.set(claim, need);
    this.#removed.delete(claim);
    return { index, value, claim, isKept: false, isBack: this.#gone.delete(claim) };
  }

  /** The row has these claims no more. */
  remove(indexes: Indexes, row: Row, claims: readonly Gone[]): void {
    const id = indexes.table.identity(row);
    for (const each of claims) {
      const isOwn = this.isOwn(each.claim);
      this.#noted.delete(each.claim);
      if (isOwn) continue;
      this.#gone.add(each.claim);
      this.#removed.set(each.claim, { ...each, indexes, id, row: textOf(indexes.table, row) });
    }
  }

  /** Whether no row had this claim before the transaction. */
  isOwn(claim: string): boolean {
    const need = this.#noted.get(claim);
    return need !== undefined && this.#held.get(nameOf(need))?.isKept !== true;
  }

  /** The row is another from now on. */
  move(from: string, to: string): void {
    this.#moved.set(to, from);
  }

  /** What its rows need, and has not been claimed. */
  get missing(): readonly Missing[] {
    return [...this.#noted]
      .filter(([claim]) => this.#madeUp.has(claim))
      .map(([, need]) => ({ ...need, former: this.#formerOf(need) }));
  }

  /** What its rows had, and have no more. */
  get removed(): readonly Removed[] {
    return [...this.#removed.values()];
  }

  /** Whether a row has this claim. */
  has({ claim }: Claim): boolean {
    return this.#noted.has(claim);
  }

  /**
   * When the work is done, before anything is committed. Waits for writes that the work did not wait for.
   *
   * @throws Unclaimed, Changed, what a write has failed with; DuplicateRowError
   */
  async end(): Promise<void> {
    const over = await this.#turns.take();
    over();
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#checkUnique();
    for (const each of this.#held.values()) {
      const former = this.has(each) ? this.#takenOf(each) : undefined;
      // Or both would have it
      if (former !== undefined && !this.#removed.has(former)) throw new Changed();
    }
    if (this.missing.length > 0) throw new Unclaimed();
    if (this.#isSealed) throw new TransactionOverError();
    this.#isDone = true;
  }

  /** What the transaction fails with when its work has thrown: that its rows have changed is not the work's to pass over, or to say. */
  reasonOf(error: unknown): unknown {
    return this.#failure?.error instanceof Changed ? this.#failure.error : error;
  }

  /** From now on it cannot be committed, if it has not come to that. Returns whether it may be committed. */
  seal(): boolean {
    this.#isSealed = true;
    return this.#isDone;
  }

  #takenOf({ entry, isKept }: Held): string | undefined {
    return isKept ? undefined : formerOf(entry.former)?.claim;
  }

  /** @throws DuplicateRowError when two rows have one value of a unique index */
  #checkUnique(): void {
    const values = new Set<string>();
    for (const { index, value } of this.#noted.values()) {
      if (!index.isUnique) continue;
      const name = JSON.stringify([index.entries.name, value]);
      if (values.has(name))
        throw new DuplicateRowError(
          index.table.name,
          `two rows of the transaction have the same value in the index ${index.name}`,
        );
      values.add(name);
    }
  }

  /** The claim whose place this one takes: that of the row before it was moved, or of the one that gives up the unique value. */
  #formerOf({ index, value, id }: Need): Former | undefined {
    const before = this.#before(id);
    const found = this.removed.find(
      each =>
        each.index === index &&
        each.value === value &&
        each.id !== id &&
        (index.isUnique || before.has(each.id)),
    );
    return found && { id: found.id, row: found.row, claim: found.claim };
  }

  /** What a row was called before, in this transaction. */
  #before(id: string): ReadonlySet<string> {
    const names = new Set<string>();
    for (let at = this.#moved.get(id); at !== undefined && !names.has(at); at = this.#moved.get(at))
      names.add(at);
    return names;
  }
}

/** Names what a claim is for. */
export function nameOf({ index, value, id }: Pick<Need, 'index' | 'value' | 'id'>): string {
  return JSON.stringify([index.entries.name, value, id]);
}
