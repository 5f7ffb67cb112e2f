import { execute } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import { DuplicateRowError, IndexBusyError } from '../errors/statements.ts';
import type { Shards } from '../queries/shards.ts';
import type { Select, Statement } from '../tables/statement.ts';
import type { Table } from '../tables/table-of.ts';
import { type Claim, equalTo, type Index, type Indexes, rowOf, textOf } from './index.ts';

/** An entry as it is in its table. */
export interface Entry {
  readonly value: string;
  /** Names the row. */
  readonly id: string;
  /** Its primary key. */
  readonly row: string;
  readonly claim: string;
  /** Whether its row is known to be written; if not, it may be about to be. */
  readonly live: boolean;
  /** When it was claimed, by the clock of who did: only how soon it is looked at goes by it. */
  readonly at: bigint;
}

/** How often an entry is looked at again since it has changed in the meantime. */
const mostAttempts = 10;

/**
 * Entries of indexes, which lie on other shards than their rows. An entry is claimed before its row is written, and released after the row is gone: so
 * there may be entries too many, and never one too few. Beside the row, in one transaction with it, is a note of the claim. Whoever doubts a claim
 * writes the note as void: from then on the row cannot be written with that claim.
 */
export class Claiming<C> {
  readonly #shards: Shards<C>;
  readonly #indexes: Indexes;
  readonly #inDoubtMs: number;

  constructor(shards: Shards<C>, indexes: Indexes, inDoubtMs: number) {
    this.#shards = shards;
    this.#indexes = indexes;
    this.#inDoubtMs = inDoubtMs;
  }

  /**
   * Claims the entry of a row's value. `kept` when the row has it already.
   *
   * @throws DuplicateRowError when another row has it, and the index is unique
   * @throws IndexBusyError when another write is about it
   */
  async claim(index: Index, value: string, row: Row): Promise<Claim & { readonly isKept: boolean }> {
    const { table } = index;
    const id = table.identity(row);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const claim = globalThis.crypto.randomUUID();
      const at = BigInt(Date.now());
      const entry = { ...index.keyOf(value), value, id, row: textOf(table, row), claim, live: false, at };
      const added = await this.#write(index, value, {
        kind: 'insert',
        table: index.entries,
        rows: [entry],
        onConflict: 'nothing',
      });
      if (added === 1) return { index, value, claim, isKept: false };
      const there = (await this.entries(index, value)).find(each => index.isUnique || each.id === id);
      if (there === undefined) continue;
      if (await this.isNoted(there)) {
        if (there.id === id) return { index, value, claim: there.claim, isKept: true };
        throw new DuplicateRowError(table.name, `the index ${index.name} has ${value}`);
      }
      // Its row is gone, and only its release is left; or it is not yet written
      if (there.live) await this.release({ index, value, claim: there.claim });
      else if (Date.now() - Number(there.at) >= this.#inDoubtMs) await this.settle(index, there);
      else throw new IndexBusyError(table.name, index.name);
    }
    throw new IndexBusyError(table.name, index.name);
  }

  /** The entries of a value. */
  async entries(index: Index, value: string): Promise<readonly Entry[]> {
    const key = index.entries.keyOf(index.keyOf(value));
    const query = selectOf(index.entries, index.where(value));
    const { rows } = await this.#shards
      .on([key])
      .read(client => execute(client, query), { consistency: 'strong' });
    return rows as unknown as readonly Entry[];
  }

  /** The row with this claim is written. */
  async confirm({ index, value, claim }: Claim): Promise<void> {
    await this.#write(index, value, {
      kind: 'update',
      table: index.entries,
      set: { live: true },
      where: [...index.where(value), { column: 'claim', op: '=', value: claim }],
    });
  }

  /** No row has this claim any more, and none will. */
  async release({ index, value, claim }: Claim): Promise<void> {
    await this.#write(index, value, {
      kind: 'delete',
      table: index.entries,
      where: [...index.where(value), { column: 'claim', op: '=', value: claim }],
    });
  }

  /** Finds out whether the row of a claim was written; if not, it never will be. Returns whether the entry stays. */
  async settle(index: Index, { value, id, row, claim }: Entry): Promise<boolean> {
    const { claims, table } = this.#indexes;
    const key = this.#indexes.keyOf(rowOf(table, row));
    const note = noteOf(key, id, { index, value, claim }, true);
    const isVoid = await this.#shards.on([claims.keyOf(key)]).transaction(async client => {
      await execute(client, { kind: 'insert', table: claims, rows: [note], onConflict: 'nothing' });
      const where = equalTo({ ...key, ashlar_claim: claim });
      const { rows } = await execute(client, selectOf(claims, where));
      // Of a row that has gone since, or whose write has given this claim up
      return rows[0] === undefined || (rows[0]['ashlar_void'] as boolean);
    });
    if (isVoid) await this.release({ index, value, claim });
    else await this.confirm({ index, value, claim });
    return !isVoid;
  }

  /** Whether an entry's row is written with its claim. */
  async isNoted({ row, claim }: Entry): Promise<boolean> {
    const { claims, table } = this.#indexes;
    const key = this.#indexes.keyOf(rowOf(table, row));
    const query = selectOf(claims, [
      ...equalTo({ ...key, ashlar_claim: claim }),
      { column: 'ashlar_void', op: '=', value: false },
    ]);
    const noted = await this.#shards
      .on([claims.keyOf(key)])
      .read(client => execute(client, query), { consistency: 'strong' });
    return noted.count > 0;
  }

  async #write(index: Index, value: string, statement: Statement): Promise<number> {
    const key = index.entries.keyOf(index.keyOf(value));
    return this.#shards.on([key]).write(async client => (await execute(client, statement)).count);
  }
}

/** A note of a claim, beside its row. */
export function noteOf(key: Row, id: string, { index, value, claim }: Claim, isVoid: boolean): Row {
  return {
    ...key,
    ashlar_claim: claim,
    ashlar_row: id,
    ashlar_index: index.name,
    ashlar_value: value,
    ashlar_void: isVoid,
  };
}

/** All columns of rows, in any order. */
export function selectOf(table: Table, where: Select['where'], forUpdate = false): Select {
  return { kind: 'select', table, columns: table.columns, where, orderBy: [], limit: undefined, forUpdate };
}
