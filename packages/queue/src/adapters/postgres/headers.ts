import { json } from '../../messages/envelope.ts';

/** What most headers say anyway, by the rest of the row. */
interface Known {
  readonly id: string;
  readonly topic: string;
  readonly key: string | undefined;
}

/** In the order of the bits of a mask: what a header is, unless it is written out. New ones come last. */
const usual: readonly (readonly [name: string, value: (known: Known) => string | undefined])[] = [
  ['ce-specversion', () => '1.0'],
  ['content-type', () => json],
  ['ce-id', ({ id }) => id],
  ['ce-type', ({ topic }) => topic],
  ['ce-partitionkey', ({ key }) => key],
];
const contentTypeBit = 2;
const bits = new Map(usual.map(([name, value], at) => [name, { bit: 1 << at, value }]));

/** The bit of a header that says what the row does anyway; 0 for any other. */
function usualBit(name: string, value: string, known: Known): number {
  const found = bits.get(name);
  return found !== undefined && found.value(known) === value ? found.bit : 0;
}

/**
 * Headers as they are in the table: JSON of those that say more than the row does, after a mask of the others. A row is
 * written at least twice, and they are most of it.
 */
export function packed(headers: Readonly<Record<string, string>>, known: Known): string {
  let mask = 0;
  const rest: Record<string, string> = {};
  for (const name in headers) {
    const bit = usualBit(name, headers[name]!, known);
    mask |= bit;
    if (bit === 0) rest[name] = headers[name]!;
  }
  const text = JSON.stringify(rest);
  return `${mask.toString(36)}${foreign.test(text) ? text.replaceAll(foreigns, escaped) : text}`;
}

/** The packed headers of a batch, each text once: beyond what their rows say, most messages of a batch say the same. */
export class PackedHeaders {
  readonly texts: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** The headers before, the bits of those that their row says, and the number of the others. */
  #last: Readonly<Record<string, string>> = {};
  #mask = -1;
  #others = 0;
  #number = 0;

  /** The number of the text of these headers, from 1. */
  add(headers: Readonly<Record<string, string>>, known: Known): number {
    let mask = 0;
    let others = 0;
    let isSame = true;
    for (const name in headers) {
      const bit = usualBit(name, headers[name]!, known);
      mask |= bit;
      if (bit !== 0) continue;
      others++;
      if (this.#last[name] !== headers[name]) isSame = false;
    }
    if (!isSame || mask !== this.#mask || others !== this.#others) {
      const text = packed(headers, known);
      this.#number = this.#numbers.get(text) ?? this.texts.push(text);
      this.#numbers.set(text, this.#number);
      this.#mask = mask;
      this.#others = others;
    }
    this.#last = headers;
    return this.#number;
  }
}

// Not every database has all letters
const foreign = /[^ -~]/;
const foreigns = /[^ -~]/g;
const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The header `content-type` where it is the usual one; undefined for any other. */
export function usualContentType(text: string): string | undefined {
  return (maskOf(text) & contentTypeBit) === 0 ? undefined : json;
}

function maskOf(text: string): number {
  return Number.parseInt(text.slice(0, text.indexOf('{')), 36);
}

export function unpacked(text: string, known: Known): Record<string, string> {
  const mask = maskOf(text);
  const headers: Record<string, string> = JSON.parse(text.slice(text.indexOf('{')));
  for (const [name, { bit, value }] of bits) {
    if ((mask & bit) !== 0) headers[name] = value(known)!;
  }
  return headers;
}
