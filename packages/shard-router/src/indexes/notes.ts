import type { Row } from '../columns/column.ts';
import { DuplicateRowError } from '../errors/statements.ts';
import type { Result, Statement } from '../tables/statement.ts';
import { noteOf, selectOf } from './entry.ts';
import { type Claim, equalTo, type Indexes } from './index.ts';

/** Thrown in the transaction of a row, so that it is rolled back: another write was first. */
export class Changed extends Error {}

/** A claim; `isKept` when the row had it before. */
export type Kept = Claim & {
  readonly isKept: boolean;
  /** Whether the row has had it before in this transaction, and was deleted since. */
  readonly isBack?: boolean;
};

/** A claim that a row has not any more, and the columns of the shard key of that row. */
export type Gone = Claim & { readonly key: Row };

/** Sends a statement of the transaction that writes the row. */
export type Send = (statement: Statement) => Promise<Result>;

/**
 * Notes of claims, beside the rows that have them. Each is written in the transaction that does so with what it stands for. Where a row has
 * a claim no more, its note stays, void and gone, until the entry is released: so that a sweep finds what a process has left that died between.
 */
export class Notes {
  readonly #indexes: Indexes;

  constructor(indexes: Indexes) {
    this.#indexes = indexes;
  }

  /** The notes of a row, which are locked. */
  async of(send: Send, row: Row): Promise<readonly Row[]> {
    const { table, claims } = this.#indexes;
    const where = [
      ...equalTo({ ...this.#indexes.keyOf(row), ashlar_row: table.identity(row) }),
      { column: 'ashlar_void', op: '=', value: false } as const,
    ];
    return (await send(selectOf(claims, where, true))).rows;
  }

  /**
   * Writes the notes of a row's claims, and takes away those that it had. Returns these.
   *
   * @param there those that it has
   * @param isOwn whether this transaction has made the note of a claim: then nobody else knows of it
   * @throws Changed when a claim is not what it was any more
   */
  async write(
    send: Send,
    row: Row,
    claims: readonly Kept[],
    there: readonly Row[],
    isOwn?: (claim: string) => boolean,
  ): Promise<readonly Gone[]> {
    const { table, claims: notes } = this.#indexes;
    const id = table.identity(row);
    const key = this.#indexes.keyOf(row);
    const has = new Set(there.map(each => each['ashlar_claim']));
    for (const each of claims) {
      if (each.isKept && !has.has(each.claim)) throw new Changed();
      if (each.isKept) continue;
      if (each.isBack === true) {
        await this.#set(send, key, each.claim, { ashlar_void: false, ashlar_gone: false });
        continue;
      }
      try {
        const rows = [noteOf(key, id, each, false)];
        await send({ kind: 'insert', table: notes, rows, onConflict: 'fail' });
      } catch (error) {
        // Somebody took this write for dead
        throw error instanceof DuplicateRowError ? new Changed() : error;
      }
    }
    const stay = new Set<unknown>(claims.map(each => each.claim));
    const gone = there.filter(each => !stay.has(each['ashlar_claim']));
    return this.remove(send, row, gone, isOwn);
  }

  /** The row has the claims of these notes no more: their entries are to be released. Returns the claims. */
  async remove(
    send: Send,
    row: Row,
    notes: readonly Row[],
    isOwn: (claim: string) => boolean = () => false,
  ): Promise<readonly Gone[]> {
    const key = this.#indexes.keyOf(row);
    for (const { ashlar_claim } of notes as readonly { readonly ashlar_claim: string }[]) {
      if (!isOwn(ashlar_claim))
        await this.#set(send, key, ashlar_claim, { ashlar_void: true, ashlar_gone: true });
      else {
        const where = equalTo({ ...key, ashlar_claim });
        await send({ kind: 'delete', table: this.#indexes.claims, where });
      }
    }
    return notes.flatMap(each => this.claimOf(each) ?? []);
  }

  /** The claim that a note is of; undefined when there is no such index any more. */
  claimOf(note: Row): Gone | undefined {
    const index = this.#indexes.all.find(({ name }) => name === note['ashlar_index']);
    if (index === undefined) return undefined;
    const [value, claim] = [note['ashlar_value'] as string, note['ashlar_claim'] as string];
    return { index, value, claim, key: this.#indexes.keyOf(note) };
  }

  /** @throws Changed when there is no such note */
  async #set(send: Send, key: Row, claim: string, set: Row): Promise<void> {
    const where = equalTo({ ...key, ashlar_claim: claim });
    const { count } = await send({ kind: 'update', table: this.#indexes.claims, set, where });
    if (count !== 1) throw new Changed();
  }
}
