import { promisify } from 'node:util';
import { deflate, deflateSync, inflate, inflateSync } from 'node:zlib';
import { integerOption, knownOptions } from '@ashlar/core';
import { DecompressError } from '../errors.ts';
import type { Serializer } from '../tiers/serializer.ts';

export interface CompressedOptions {
  /** Values whose serialized form is longer are compressed, unless that makes them no shorter. 4 096 by default. */
  readonly overBytes?: number;
  /** Of deflate: 1, the quickest and the default, to 9. */
  readonly level?: number;
  /**
   * What is longer is compressed, and what is longer in its compressed form is decompressed, by a thread of libuv's
   * pool; what is not is sooner done at once. 65 536 by default.
   */
  readonly asyncOverBytes?: number;
  /** The longest serialized form there may be: whatever pretends to be longer is given up there. 64 MiB by default. */
  readonly maxBytes?: number;
}

/** Precedes what this serializer wrote otherwise than the inner one. No UTF-8 has this byte, MessagePack never begins with it. */
const mark = 0xc1;
/** The first byte of every zlib stream with the usual window. */
const zlib = 0x78;

const deflated = promisify<Uint8Array, object, Buffer>(deflate);
const inflated = promisify<Uint8Array, object, Buffer>(inflate);

/**
 * A serializer that compresses what `serializer` makes when that is long. A compressed value is the byte 0xc1 and a zlib
 * stream, whose checksum tells of damage; the others are what `serializer` alone writes, so what was stored without
 * compression is still read. (A value that begins with 0xc1 itself gets one more: only such must not have been stored
 * before. JSON, MessagePack and `v8.serialize` have none.)
 *
 * Sizes are of the shared tier alone: `weigh` and `max` of a cache see the values. Encoding refuses more than `maxBytes`;
 * decoding throws DecompressError for what is damaged or longer, which a cache takes for a miss, with a message on the
 * channel `tier-failed`.
 *
 * @throws InvalidOptionError
 */
export function compressed<V>(serializer: Serializer<V>, options: CompressedOptions = {}): Serializer<V> {
  knownOptions('compressed', options, ['overBytes', 'level', 'asyncOverBytes', 'maxBytes']);
  const overBytes = integerOption('overBytes', options.overBytes ?? 4_096, { min: 0 });
  const level = integerOption('level', options.level ?? 1, { min: 1, max: 9 });
  const asyncOverBytes = integerOption('asyncOverBytes', options.asyncOverBytes ?? 65_536, { min: 0 });
  const maxBytes = integerOption('maxBytes', options.maxBytes ?? 2 ** 26, { min: 1, max: 2 ** 31 - 1 });
  const bound = { maxOutputLength: maxBytes };

  async function decompress(stream: Uint8Array): Promise<Uint8Array> {
    try {
      if (stream[0] !== zlib) throw new Error('it is of no known form');
      const bytes =
        stream.length > asyncOverBytes ? await inflated(stream, bound) : inflateSync(stream, bound);
      // a copy, because what zlib gives may be a small part of a larger piece of memory
      return new Uint8Array(bytes);
    } catch (error) {
      throw new DecompressError(stream.length + 1, maxBytes, error);
    }
  }

  return {
    async encode(value) {
      const bytes = await serializer.encode(value);
      if (bytes.length > maxBytes) {
        throw new RangeError(`it has ${bytes.length} bytes, more than \`maxBytes\`, ${maxBytes}`);
      }
      if (bytes.length > overBytes) {
        const stream =
          bytes.length > asyncOverBytes ? await deflated(bytes, { level }) : deflateSync(bytes, { level });
        if (stream.length + 1 < bytes.length) return marked(stream);
      }
      return bytes[0] === mark ? marked(bytes) : bytes;
    },
    async decode(bytes) {
      if (bytes[0] !== mark) return serializer.decode(bytes);
      const rest = bytes.subarray(1);
      return serializer.decode(rest[0] === mark ? rest : await decompress(rest));
    },
  };
}

function marked(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length + 1);
  result[0] = mark;
  result.set(bytes, 1);
  return result;
}
