import { required, text } from '@ashlar/core';
import { TraceError } from './errors.ts';
import { Input } from './input.ts';
import { accessLogLine, bad, type Key, keyLine, type LineFormat, skipped } from './line-formats.ts';
import { Lines } from './lines.ts';

const fileRule = required(text(), 'the path of a trace, or `-` for the standard input');

/** The first lines, which decide whether the file is a trace, and of what kind. */
const sniffedLines = 20;

/**
 * The keys of a file, and counts of what was left out: a key a line, or the access log of nginx or Apache, from which it takes
 * the paths of GET requests, without their queries. Plain or gzip, recognized by the first bytes.
 */
export class Trace {
  readonly #input: Input;
  readonly #lines: Lines = new Lines((bytes, start, end) => this.#line(bytes, start, end));
  #format: LineFormat | undefined;
  #isFirstLine = true;
  readonly #sniffed: Buffer[] = [];
  #keys: Key[] = [];
  /** Keys that were yielded. */
  requests = 0;
  /** Lines that are neither a key nor blank. */
  badLines = 0;
  /** Lines of a log that are no GET. */
  skippedLines = 0;

  /**
   * `-` is the standard input.
   *
   * @throws TraceError when there is no such file or it may not be read; InvalidOptionError when `file` is no path
   */
  static async open(file: string): Promise<Trace> {
    return new Trace(await Input.open(fileRule(file, 'file')));
  }

  private constructor(input: Input) {
    this.#input = input;
  }

  /** Its name in messages. */
  get name(): string {
    return this.#input.name;
  }

  /** The length of the file as it is stored, if it is known. */
  get bytes(): number | undefined {
    return this.#input.bytes;
  }

  /** Bytes that were read of it. */
  get bytesRead(): number {
    return this.#input.read;
  }

  get format(): 'keys' | 'access log' {
    return this.#format === accessLogLine ? 'access log' : 'keys';
  }

  /**
   * The keys in the file's order, a few thousand at a time; once. Leaving the loop closes the file.
   *
   * @throws TraceError for a file that cannot be read to its end, is no text of the kinds it may be, or has no key.
   */
  async *batches(): AsyncGenerator<readonly Key[]> {
    for await (const piece of this.#input.pieces()) {
      if (this.#format === undefined && piece.includes(0)) throw this.#refused('is not a text file');
      this.#lines.push(piece);
      if (this.#keys.length > 0) yield this.#given();
    }
    this.#lines.end();
    if (this.#format === undefined) this.#sniff();
    if (this.#keys.length > 0) yield this.#given();
    if (this.requests > 0) return;
    const left = this.badLines + this.skippedLines;
    throw this.#refused(left === 0 ? 'is empty' : `has no key in its ${left} lines`);
  }

  #given(): readonly Key[] {
    const keys = this.#keys;
    this.requests += keys.length;
    this.#keys = [];
    return keys;
  }

  #line(bytes: Buffer, from: number, to: number): void {
    let start = this.#isFirstLine && hasByteOrderMark(bytes, from, to) ? from + 3 : from;
    let end = to;
    this.#isFirstLine = false;
    while (start < end && isSpace(bytes[start]!)) start++;
    while (end > start && isSpace(bytes[end - 1]!)) end--;
    if (start === end) return;
    if (this.#format !== undefined) this.#read(this.#format, bytes, start, end);
    else if (this.#sniffed.push(Buffer.from(bytes.subarray(start, end))) === sniffedLines) this.#sniff();
  }

  #sniff(): void {
    const lines = this.#sniffed;
    const log = lines.some(line => accessLogLine(line, 0, line.length) !== bad);
    this.#format = log ? accessLogLine : keyLine;
    for (const line of lines) this.#read(this.#format, line, 0, line.length);
    const kind = log ? 'lines of an access log' : 'keys';
    if (this.badLines * 2 > lines.length) {
      throw this.#refused(
        `is not a trace: ${this.badLines} of its first ${lines.length} lines are no ${kind}`,
      );
    }
  }

  #read(format: LineFormat, bytes: Buffer, start: number, end: number): void {
    const key = format(bytes, start, end);
    if (key === bad) this.badLines++;
    else if (key === skipped) this.skippedLines++;
    else this.#keys.push(key);
  }

  #refused(why: string): TraceError {
    return new TraceError(`${this.name}: ${why}`);
  }
}

/** What Windows puts before UTF-8; no part of the first key. */
function hasByteOrderMark(bytes: Buffer, from: number, to: number): boolean {
  return to - from >= 3 && bytes.readUIntBE(from, 3) === 0xefbbbf;
}

/** Blank, tab or carriage return. */
function isSpace(byte: number): boolean {
  return byte === 32 || byte === 9 || byte === 13;
}
