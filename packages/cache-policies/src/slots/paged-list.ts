const bits = 14;
const mask = (1 << bits) - 1;

/** A list in pages, so that growing never copies more than one. */
export class PagedList<T> {
  readonly #pages: (T | undefined)[][] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get(at: number): T | undefined {
    return this.#pages[at >> bits]![at & mask];
  }

  set(at: number, value: T | undefined): void {
    this.#pages[at >> bits]![at & mask] = value;
  }

  push(value: T | undefined): void {
    if ((this.#length & mask) === 0) this.#pages.push(anything());
    this.#pages[this.#length >> bits]!.push(value);
    this.#length++;
  }

  /** Keeps the first `length` items, which must be on one page. */
  truncate(length: number): void {
    this.#pages.length = 1;
    this.#pages[0]!.length = length;
    this.#length = length;
  }
}

/** An empty array that V8 knows to hold anything: then all of them are alike, whatever their elements. */
function anything<T>(): (T | undefined)[] {
  const page: (T | undefined)[] = [undefined];
  page.pop();
  return page;
}
