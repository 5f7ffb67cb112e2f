import { HashTable } from './hash-table.ts';

/** When it has this many slots, it is parted in 64 tables of 512 pairs: then the one that grows is a small part of all. */
const whole = 16_384;
const parts = 64;
const bitsOfPart = 9;

/** A hash table that no operation waits long for: past some size it is many, chosen by the low bits of the hash. */
export class PartedTable {
  readonly #refuse: (slot: number) => void;
  #tables: readonly HashTable[];
  #mask = 0;

  /** `refuse` as for a `HashTable`. */
  constructor(refuse: (slot: number) => void) {
    this.#refuse = refuse;
    this.#tables = [new HashTable(refuse)];
  }

  /** Where a slot with the hash is looked for. */
  part(hash: number): HashTable {
    return this.#tables[hash & this.#mask]!;
  }

  add(hash: number, slot: number): void {
    if (this.#mask === 0 && this.#tables[0]!.size >= whole) this.#divide();
    this.part(hash).add(hash, slot);
  }

  /** False if it is not there. */
  remove(hash: number, slot: number): boolean {
    return this.part(hash).remove(hash, slot);
  }

  #divide(): void {
    const [table] = this.#tables;
    this.#tables = Array.from({ length: parts }, () => new HashTable(this.#refuse, bitsOfPart));
    this.#mask = parts - 1;
    table!.forEach((hash, slot) => {
      this.part(hash).add(hash, slot);
    });
  }
}
