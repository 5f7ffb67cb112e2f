import { styleText } from 'node:util';

export type Color = 'red' | 'green' | 'bold' | 'dim';

/** What a screen needs of `process.stdout`. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** What the user says of the terminal, in the environment. */
export interface Environment {
  readonly TERM?: string | undefined;
  readonly NO_COLOR?: string | undefined;
}

const eraseLine = '\r\x1b[K';

/** Where people read: lines that stay and, on a terminal, one at the bottom that changes. */
export class Screen {
  /** Whether a line can be changed; where it cannot, progress is told in lines of its own, and less often. */
  readonly live: boolean;
  readonly #output: Output;
  readonly #colored: boolean;
  #changing = '';

  constructor(output: Output, env: Environment) {
    this.#output = output;
    this.live = output.isTTY === true && env.TERM !== 'dumb';
    this.#colored = this.live && (env.NO_COLOR ?? '') === '';
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

  paint(color: Color, text: string): string {
    return this.#colored ? styleText(color, text, { validateStream: false }) : text;
  }
}
