import { stripVTControlCharacters, styleText } from 'node:util';

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

/** Where people read: lines that stay and, on a terminal, one or several at the bottom that change. */
export class Screen {
  /** Whether lines can be changed; where they cannot, progress is told in lines of its own, and less often. */
  readonly live: boolean;
  readonly #output: Output;
  readonly #colored: boolean;
  #changing = '';

  constructor(output: Output, env: Environment) {
    this.#output = output;
    this.live = output.isTTY === true && env.TERM !== 'dumb';
    this.#colored = this.live && (env.NO_COLOR ?? '') === '';
  }

  /** How long a line may be; endless where no terminal breaks it. */
  get width(): number {
    // A terminal that does not know its width says 0
    return this.live ? this.#output.columns || 80 : Number.POSITIVE_INFINITY;
  }

  /** A line, or several, that stay. What is longer than the terminal is wide goes on below, between words where that can be. */
  print(lines: string): void {
    const text = lines
      .split('\n')
      .map(line => broken(line, this.width))
      .join('\n');
    this.#output.write(this.#changing === '' ? `${text}\n` : `${this.#erase()}${text}\n${this.#changing}`);
  }

  /** Replaces the changing lines, each cut to the width of the terminal; an empty text ends them. Only where `live`. */
  change(text: string): void {
    const erase = this.#erase();
    const width = this.width - 1;
    this.#changing = text
      .split('\n')
      .map(line => line.slice(0, width))
      .join('\n');
    this.#output.write(`${erase}${this.#changing}`);
  }

  /** Shows lines that change, where that can be, until it is disposed of. */
  follow(lines: () => string, everyMs: number): Disposable {
    const timer = this.live ? setInterval(() => this.change(lines()), everyMs) : undefined;
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        if (this.live) this.change('');
      },
    };
  }

  paint(color: Color, text: string): string {
    return this.#colored ? styleText(color, text, { validateStream: false }) : text;
  }

  #erase(): string {
    const above = this.#changing.split('\n').length - 1;
    return above === 0 ? eraseLine : `\x1b[${above}A\r\x1b[J`;
  }
}

/** Of what is painted, only lines that fit are known. */
function broken(line: string, width: number): string {
  if (line.length <= width || stripVTControlCharacters(line) !== line) return line;
  const [indent = ''] = /^ */.exec(line) ?? [];
  const end = line.lastIndexOf(' ', width);
  if (end <= indent.length || indent.length >= width / 2) return line;
  return `${line.slice(0, end).trimEnd()}\n${broken(`${indent}${line.slice(end + 1).trimStart()}`, width)}`;
}
