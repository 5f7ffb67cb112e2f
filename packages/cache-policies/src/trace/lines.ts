const newline = 10;
/** Of a longer line the rest is dropped, so that a file without lines does not fill the memory. */
const longestLine = 65_536;

/** The line is the bytes from `start` to `end`, without its newline. They are its own for the time of the call. */
export type TakeLine = (bytes: Buffer, start: number, end: number) => void;

/** Cuts bytes that come in pieces into lines; mostly without a copy. */
export class Lines {
  readonly #take: TakeLine;
  /** The beginning of a line whose end has not come. */
  #open: Buffer | undefined;

  constructor(take: TakeLine) {
    this.#take = take;
  }

  push(piece: Buffer): void {
    let start = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      if (this.#open === undefined) this.#take(piece, start, end);
      else {
        this.#keep(piece.subarray(start, end));
        this.end();
      }
      start = end + 1;
    }
    if (start < piece.length) this.#keep(piece.subarray(start));
  }

  /** What has come is a line also without a newline. */
  end(): void {
    const line = this.#open;
    this.#open = undefined;
    if (line !== undefined) this.#take(line, 0, line.length);
  }

  #keep(bytes: Buffer): void {
    const open = this.#open ?? Buffer.alloc(0);
    if (open.length < longestLine) this.#open = Buffer.concat([open, bytes]).subarray(0, longestLine);
  }
}
