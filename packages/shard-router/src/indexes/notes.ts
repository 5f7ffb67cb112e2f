import type { Row } from '../columns/column.ts';
import { DuplicateRowError } from '../errors/statements.ts';
import type { Result, Statement } from '../tables/statement.ts';
import { noteOf, selectOf } from './entry.ts';
import { type Claim, equalTo, type Indexes } from './index.ts';

/** Thrown in the transaction of a row, so that it is rolled back: another write was first. */
export class Changed extends Error {}

/** A claim; `isKept` when the row had it before. */
export type Kept = Claim & { readonly isKept: boolean };

/** Sends a statement of the transaction that writes the row. */
export type Send = (statement: Statement) => Promise<Result>;

/** Notes of claims, beside the rows that have them. Each is written and deleted in the transaction that does so with what it stands for. */
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
   * @throws Changed when a claim is not what it was any more
   */
  async write(
    send: Send,
    row: Row,
    claims: readonly Kept[],
    there: readonly Row[],
  ): Promise<readonly Claim[]> {
    const { table, claims: notes } = this.#indexes;
    const id = table.identity(row);
    const key = this.#indexes.keyOf(row);
    const has = new Set(there.map(each => each['ashlar_claim']));
    for (const each of claims) {
      if (each.isKept && !has.has(each.claim)) throw new Changed();
      if (each.isKept) continue;
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
    return this.remove(send, row, gone);
  }

  /** Deletes notes of a row. Returns their claims. */
  async remove(send: Send, row: Row, notes: readonly Row[]): Promise<readonly Claim[]> {
    const key = this.#indexes.keyOf(row);
    for (const { ashlar_claim } of notes as readonly { readonly ashlar_claim: string }[]) {
      const where = equalTo({ ...key, ashlar_claim });
      await send({ kind: 'delete', table: this.#indexes.claims, where });
    }
    return notes.flatMap(each => {
      const index = this.#indexes.all.find(({ name }) => name === each['ashlar_index']);
      if (index === undefined) return [];
      return [{ index, value: each['ashlar_value'] as string, claim: each['ashlar_claim'] as string }];
    });
  }
}
