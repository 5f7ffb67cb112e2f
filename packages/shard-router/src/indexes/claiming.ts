import { execute } from '../clients/client.ts';
import type { Row } from '../columns/column.ts';
import { DuplicateRowError, IndexBusyError } from '../errors/statements.ts';
import type { Shards } from '../queries/shards.ts';
import type { Statement } from '../tables/statement.ts';
import { type Claimed, type Entry, type Former, formerOf, noteOf, selectOf } from './entry.ts';
import { type Claim, equalTo, type Index, type Indexes, rowOf, textOf } from './index.ts';
import type { Gone } from './notes.ts';

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

  constructor(shards: Shards<C>, indexes: Indexes) {
    this.#shards = shards;
    this.#indexes = indexes;
    this.#inDoubtMs = shards.inDoubtMs ?? 10_000;
  }

  /**
   * Claims the entry of a row's value. `kept` when the row has it already. Of a unique index, that of `former` is taken over: from then on the
   * value is for both, and nobody else.
   *
   * @throws DuplicateRowError when another row has it, and the index is unique
   * @throws IndexBusyError when another write is about it
   */
  async claim(index: Index, value: string, row: Row, former?: Former): Promise<Claimed> {
    const { table } = index;
    const id = table.identity(row);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const entry = {
        value,
        id,
        row: textOf(table, row),
        claim: globalThis.crypto.randomUUID(),
        live: false,
        at: BigInt(Date.now()),
        former: former === undefined ? '' : JSON.stringify(former),
      };
      const claimed = { index, value, claim: entry.claim, isKept: false, entry };
      const added = await this.#write(index, value, {
        kind: 'insert',
        table: index.entries,
        rows: [{ ...index.keyOf(value), ...entry }],
        onConflict: 'nothing',
      });
      if (added === 1) return claimed;
      const there = (await this.entries(index, value)).find(each => index.isUnique || each.id === id);
      if (there === undefined) continue;
      if (await this.isNoted(there)) {
        if (there.id === id) return { index, value, claim: there.claim, isKept: true, entry: there };
        if (there.claim !== former?.claim)
          throw new DuplicateRowError(table.name, `the index ${index.name} has ${value}`);
        const { value: _, ...set } = entry;
        if ((await this.#set(there.claim, index, value, set)) === 1) return claimed;
      }
      // Its row is gone, and only its release is left; or it is not yet written
      else if (there.live) await this.release({ index, value, claim: there.claim });
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
    await this.#set(claim, index, value, { live: true, former: '' });
  }

  /** No row has this claim any more, and none will. */
  async release({ index, value, claim }: Claim): Promise<void> {
    await this.#write(index, value, {
      kind: 'delete',
      table: index.entries,
      where: [...index.where(value), { column: 'claim', op: '=', value: claim }],
    });
  }

  /** No row has these claims any more. Then nothing is left of them, their notes neither. What cannot be done now is done by a sweep. */
  async releaseAll(gone: readonly Gone[]): Promise<void> {
    await Promise.allSettled(
      gone.map(async each => {
        await this.release(each);
        await this.forget(each.key, each.claim);
      }),
    );
  }

  /** The entry of a claim that is gone is released: its note is not needed any more. */
  async forget(key: Row, claim: string): Promise<void> {
    const { claims } = this.#indexes;
    const where = equalTo({ ...key, ashlar_claim: claim, ashlar_gone: true });
    await this.#shards
      .on([claims.keyOf(key)])
      .write(client => execute(client, { kind: 'delete', table: claims, where }));
  }

  /** The row of this claim is not written, and never will be. Gives its entry back to whom it was taken from. */
  async giveUp(
    index: Index,
    { value, claim, former }: Pick<Entry, 'value' | 'claim' | 'former'>,
  ): Promise<void> {
    const before = formerOf(former);
    if (before === undefined || !index.isUnique) return this.release({ index, value, claim });
    // Not live before it is known that its row still has it: where this process dies, a sweep looks
    await this.#set(claim, index, value, { ...before, live: false, former: '' });
    const given = { index, value, claim: before.claim };
    await ((await this.isNoted(before)) ? this.confirm(given) : this.release(given));
  }

  /** Finds out whether the row of a claim was written; if not, it never will be. Returns whether the entry stays. */
  async settle(index: Index, { value, id, row, claim, former }: Entry): Promise<boolean> {
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
    const before = formerOf(former);
    if (isVoid) await this.giveUp(index, { value, claim, former });
    else {
      // First: who finds a live entry, finds no other of that row
      if (before !== undefined && !index.isUnique) await this.release({ index, value, claim: before.claim });
      await this.confirm({ index, value, claim });
    }
    return !isVoid;
  }

  /** Whether an entry's row is written with its claim. */
  async isNoted({ row, claim }: Pick<Entry, 'row' | 'claim'>): Promise<boolean> {
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

  /** Changes the entry that has this claim. */
  #set(claim: string, index: Index, value: string, set: Row): Promise<number> {
    const where = [...index.where(value), { column: 'claim', op: '=', value: claim } as const];
    return this.#write(index, value, { kind: 'update', table: index.entries, set, where });
  }

  async #write(index: Index, value: string, statement: Statement): Promise<number> {
    const key = index.entries.keyOf(index.keyOf(value));
    return this.#shards.on([key]).write(async client => (await execute(client, statement)).count);
  }
}
