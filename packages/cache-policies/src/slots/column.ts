/** No slot: the result for an absent key. */
export const none = 0;

type Cells = Int32Array | Uint8Array | Float64Array;

/** A number for each slot, in a typed array that grows with the entries. Read `cells` anew after an entry was added. */
export class Column<A extends Cells> {
  cells: A;
  readonly #make: new (
    length: number,
  ) => A;

  constructor(make: new (length: number) => A, length: number) {
    this.#make = make;
    this.cells = new make(length);
  }

  grow(length: number): void {
    const cells = new this.#make(length);
    cells.set(this.cells);
    this.cells = cells;
  }
}

/** Both neighbors of a slot in the one list it is on. */
export interface Links {
  readonly next: Column<Int32Array>;
  readonly prev: Column<Int32Array>;
}
