import { refused } from '@ashlar/core';
import { ofOneHop, type RawHeaders } from '../headers.ts';

/** The headers of a message, to be read. Names count in any case. */
export interface ReadonlyProxyHeaders extends Iterable<[name: string, value: string]> {
  has(name: string): boolean;
  /** The values of all lines with that name, joined by `, `. */
  get(name: string): string | undefined;
  /** The value of each line with that name, as of `Set-Cookie`. */
  getAll(name: string): string[];
}

/**
 * The headers of a message on its way through the proxy. Changes apply to the message. The lines keep their order.
 *
 * Those that frame the message or belong to one connection, as `Content-Length` and `Connection`, are the proxy's own.
 */
export class ProxyHeaders implements ReadonlyProxyHeaders {
  readonly #lines: RawHeaders;

  /** @param lines names and values in turn; they are changed in place */
  constructor(lines: RawHeaders) {
    this.#lines = lines;
  }

  has(name: string): boolean {
    return this.getAll(name).length > 0;
  }

  get(name: string): string | undefined {
    const values = this.getAll(name);
    return values.length === 0 ? undefined : values.join(', ');
  }

  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return [...this].filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
  }

  /** Replaces all lines with that name. @throws InvalidOptionError for what is no header, or is the proxy's own */
  set(name: string, value: string): void {
    checkLine(name, value);
    this.#remove(name);
    this.#lines.push(name, value);
  }

  /** Adds a line. @throws InvalidOptionError, as `set` */
  append(name: string, value: string): void {
    checkLine(name, value);
    this.#lines.push(name, value);
  }

  /** Returns whether there was a line with that name. @throws InvalidOptionError, as `set` */
  delete(name: string): boolean {
    checkName(name);
    return this.#remove(name);
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let at = 0; at < this.#lines.length; at += 2) yield [this.#lines[at]!, this.#lines[at + 1]!];
  }

  #remove(name: string): boolean {
    const wanted = name.toLowerCase();
    const kept = [...this].filter(([each]) => each.toLowerCase() !== wanted).flat();
    const removed = kept.length < this.#lines.length;
    this.#lines.splice(0, this.#lines.length, ...kept);
    return removed;
  }
}

/** RFC 9110, 5.6.2. */
const token = /^[\w!#$%&'*+.^`|~-]+$/;

/** RFC 9110, 5.5, with the bytes above ASCII as Latin-1. */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

function checkName(name: string): void {
  if (typeof name !== 'string' || !token.test(name)) throw refused('name', 'the name of a header', name);
  const lower = name.toLowerCase();
  if (lower !== 'content-length' && !ofOneHop.has(lower)) return;
  throw refused('name', 'a header that does not frame the message', name, 'the proxy sets it itself');
}

function checkLine(name: string, value: string): void {
  checkName(name);
  if (typeof value === 'string' && fieldValue.test(value)) return;
  throw refused('value', 'a text of Latin-1 without line breaks', value);
}
