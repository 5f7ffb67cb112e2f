import { isDeleted, isNull } from '../../publish/chunks.ts';
import type { Serializer, Values } from '../snapshot.ts';
import { type Table, tableCode } from './table-code.ts';

const { hashOf, uint32 } = tableCode();
const decoder = new TextDecoder();

/**
 * A version in shared memory, where nothing of it is the garbage collector's to walk. A value is decoded when it is read; those that
 * were read last are kept, as they were decoded.
 */
export class SharedValues<V> implements Values<V> {
  readonly size: number;
  readonly #table: Table;
  readonly #mask: number;
  readonly #serializer: Serializer<V>;
  readonly #maxHot: number;
  /** Two generations: what is read of the older one moves to the younger. */
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  constructor(table: Table, size: number, serializer: Serializer<V>, maxHot: number) {
    this.#table = table;
    this.#mask = table.index.length / 2 - 1;
    this.size = size;
    this.#serializer = serializer;
    this.#maxHot = maxHot;
  }

  /** @throws what `deserialize` throws */
  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    const value = old ?? this.#decoded(key);
    if (value !== undefined && this.#maxHot > 0) {
      if (this.#young.size * 2 >= this.#maxHot) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(key, value);
    }
    return value;
  }

  *keys(): Generator<string, void, undefined> {
    const { data, index } = this.#table;
    for (let i = 1; i < index.length; i += 2) {
      const at = index[i]! - 1;
      if (at < 0 || uint32(data, at + 4) === isDeleted) continue;
      yield decoder.decode(data.slice(at + 8, at + 8 + uint32(data, at)));
    }
  }

  #decoded(key: string): V | undefined {
    const { data, index, seed } = this.#table;
    const hash = hashOf(key, seed);
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = index[2 * slot + 1]! - 1;
      if (at < 0) return undefined;
      if (index[2 * slot] !== hash || !isKey(data, at, key)) continue;
      const bytes = uint32(data, at + 4);
      if (bytes === isDeleted) return undefined;
      if (bytes === isNull) return null as V;
      const from = at + 8 + uint32(data, at);
      return this.#serializer.deserialize(data.slice(from, from + bytes));
    }
  }
}

function isKey(data: Uint8Array, at: number, key: string): boolean {
  const bytes = uint32(data, at);
  // UTF-8 of other than ASCII has more bytes than the text has code units
  if (bytes > key.length) return decoder.decode(data.slice(at + 8, at + 8 + bytes)) === key;
  if (bytes < key.length) return false;
  for (let i = 0; i < bytes; i++) {
    const byte = data[at + 8 + i]!;
    if (byte >= 0x80 || byte !== key.charCodeAt(i)) return false;
  }
  return true;
}
