import { EntryTooLargeError } from '../errors.ts';

/** The most bytes of one value in the store: 1 MiB. */
export const maxChunkBytes: number = 2 ** 20;

/** A part of a version. */
export interface Chunk {
  /** The last part of its key. No two attempts of a run share one. */
  readonly id: string;
  readonly entries: number;
  readonly bytes: number;
  /** SHA-256 of the bytes, in base64. */
  readonly digest: string;
}

/** The value of a key in a chunk: its bytes, or `null`, or `undefined` when the key is deleted. */
export type Stored = Uint8Array | null | undefined;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const headBytes = 8;
// Where the length of a value stands; no value is as long
export const isNull = 0xffff_fffe;
export const isDeleted = 0xffff_ffff;

/** Entries one after the other: the lengths of key and value in 4 bytes each, big-endian, then both. */
export class ChunkBuffer {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  /** Takes an entry, unless there is no room: then it is for the next buffer. @throws EntryTooLargeError */
  add(key: string, value: Stored): boolean {
    const name = encoder.encode(key);
    const body = value ?? new Uint8Array();
    const bytes = headBytes + name.length + body.length;
    if (bytes > maxChunkBytes) throw new EntryTooLargeError(key, bytes, maxChunkBytes);
    if (this.#bytes + bytes > maxChunkBytes) return false;
    const head = new Uint8Array(headBytes);
    const view = new DataView(head.buffer);
    view.setUint32(0, name.length);
    view.setUint32(4, value === undefined ? isDeleted : value === null ? isNull : body.length);
    this.#parts.push(head, name, body);
    this.#bytes += bytes;
    this.#entries++;
    return true;
  }

  take(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    this.#entries = 0;
    return bytes;
  }
}

/** The entries of a chunk, in the order in which they were added. The values are views of its bytes. */
export function* entriesOf(bytes: Uint8Array): Generator<[key: string, value: Stored], void, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const keyBytes = view.getUint32(at);
    const length = view.getUint32(at + 4);
    const keyAt = at + headBytes;
    const valueAt = keyAt + keyBytes;
    const key = decoder.decode(bytes.subarray(keyAt, valueAt));
    at = length >= isNull ? valueAt : valueAt + length;
    yield [key, length === isDeleted ? undefined : length === isNull ? null : bytes.subarray(valueAt, at)];
  }
}
