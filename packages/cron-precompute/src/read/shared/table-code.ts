/** A version as one table in shared memory. */
export interface Table {
  /** The chunks of the version, one after the other, as they are in the store. */
  readonly data: Uint8Array<SharedArrayBuffer>;
  /** Two numbers a slot: the hash of the key, and where its entry begins in `data`, plus 1; 0 where a slot is free. */
  readonly index: Uint32Array<SharedArrayBuffer>;
  /** Begins every hash, so that nobody can choose keys that collide. */
  readonly seed: number;
}

export interface TableCode {
  hashOf(key: string, seed: number): number;
  uint32(data: Uint8Array, at: number): number;
  addChunk(table: Table, from: number, to: number): void;
}

/**
 * What fills a table. Its source text is what the worker runs, so that there is no file that a bundler would have to find: it uses
 * nothing from outside of its braces, and all its functions are methods, as bundlers wrap others to keep their names.
 */
export function tableCode(): TableCode {
  const decoder = new TextDecoder();
  const code = {
    /** The hash of a key, from its UTF-16 code units; 32 bits. */
    hashOf(key: string, seed: number): number {
      let hash = seed;
      for (let i = 0; i < key.length; i++) hash = code.mix(hash, key.charCodeAt(i));
      return code.finish(hash);
    },
    mix(hash: number, unit: number): number {
      return Math.imul(hash ^ unit, 0x0100_0193);
    },
    finish(hash: number): number {
      let mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
      return (mixed ^ (mixed >>> 16)) >>> 0;
    },
    uint32(data: Uint8Array, at: number): number {
      return ((data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!) >>> 0;
    },
    /** Of the key whose UTF-8 is there. */
    hashAt(data: Uint8Array, from: number, to: number, seed: number): number {
      let hash = seed;
      for (let at = from; at < to; at++) {
        // A decoder does not take shared memory
        if (data[at]! >= 0x80) return code.hashOf(decoder.decode(data.slice(from, to)), seed);
        hash = code.mix(hash, data[at]!);
      }
      return code.finish(hash);
    },
    sameKey(data: Uint8Array, one: number, other: number): boolean {
      const bytes = code.uint32(data, one);
      if (code.uint32(data, other) !== bytes) return false;
      for (let i = 8; i < 8 + bytes; i++) if (data[one + i] !== data[other + i]) return false;
      return true;
    },
    /** Puts the entries of a chunk, which is in the data already, into the index. Of a key that comes twice, the later holds. */
    addChunk({ data, index, seed }: Table, from: number, to: number): void {
      const mask = index.length / 2 - 1;
      for (let at = from; at < to; ) {
        const keyEnd = at + 8 + code.uint32(data, at);
        const bytes = code.uint32(data, at + 4);
        const hash = code.hashAt(data, at + 8, keyEnd, seed);
        let slot = hash & mask;
        for (let known = index[2 * slot + 1]!; known !== 0; known = index[2 * slot + 1]!) {
          if (index[2 * slot] === hash && code.sameKey(data, known - 1, at)) break;
          slot = (slot + 1) & mask;
        }
        index[2 * slot] = hash;
        index[2 * slot + 1] = at + 1;
        at = keyEnd + (bytes >= 0xffff_fffe ? 0 : bytes); // null or deleted
      }
    },
  };
  return code;
}
