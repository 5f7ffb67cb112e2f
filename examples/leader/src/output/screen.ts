/** What a screen needs of `process.stdout`. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const eraseLine = '\r\x1b[K';

/** Where people read: lines that stay and, on a terminal, one at the bottom that changes. */
export class Screen {
  /** Whether a line can be changed. */
  readonly live: boolean;
  readonly #output: Output;
  #changing = '';

  constructor(output: Output, terminal: string | undefined) {
    this.#output = output;
    this.live = output.isTTY === true && terminal !== 'dumb';
  }

  /** A line, or several, that stay. */
  print(text: string): void {
    this.#output.write(this.#changing === '' ? `${text}\n` : `${eraseLine}${text}\n${this.#changing}`);
  }

  /** Replaces the changing line, cut to the width of the terminal; an empty one ends it. Only where `live`. */
  change(text: string): void {
    this.#changing = text.slice(0, (this.#output.columns ?? 80) - 1);
    this.#output.write(`${eraseLine}${this.#changing}`);
  }
}
