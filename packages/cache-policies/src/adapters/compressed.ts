import { promisify } from 'node:util';
import { deflate, deflateSync, inflate, inflateSync } from 'node:zlib';
import { integer, objectWith, type RulesFor, readOptions, required } from '@ashlar/core';
import { DecompressError } from '../errors.ts';
import type { Serializer } from '../tiers/serializer.ts';

export interface CompressedOptions {
  /** Longer serialized values are compressed, unless that makes them no shorter. In bytes. Default: 4 096. */
  readonly overBytes?: number;
  /** The level of deflate: from 1, the quickest, to 9. Default: 1. */
  readonly level?: number;
  /**
   * A thread of libuv's pool compresses longer values, and decompresses values that are longer in their compressed form;
   * for others, handing them over costs more than the work. In bytes. Default: 65 536.
   */
  readonly asyncOverBytes?: number;
  /** The longest serialized form: longer values are refused, and so is stored data that unpacks to more. Default: 64 MiB. */
  readonly maxBytes?: number;
}

const rules = {
  overBytes: integer(4_096, { min: 0 }),
  level: integer(1, { min: 1, max: 9 }),
  asyncOverBytes: integer(65_536, { min: 0 }),
  maxBytes: integer(2 ** 26, { min: 1, max: 2 ** 31 - 1 }),
} satisfies RulesFor<CompressedOptions>;

const innerRule = required(
  objectWith<Serializer<never>>(['encode', 'decode'], 'write `compressed(jsonSerializer())`'),
  'write `compressed(jsonSerializer())`',
);

/** Precedes every form but the inner serializer's own. No UTF-8 has this byte, MessagePack never begins with it. */
const mark = 0xc1;
/** The first byte of every zlib stream with the usual window. */
const zlib = 0x78;

const deflated = promisify<Uint8Array, object, Buffer>(deflate);
const inflated = promisify<Uint8Array, object, Buffer>(inflate);

/**
 * A serializer that compresses the long values of another one. A compressed value is the byte 0xc1 and a zlib stream,
 * whose checksum reveals damage; the other values are as `serializer` writes them, so values that were stored without
 * compression are still read. (A value that begins with 0xc1 itself gets one more. Such values must not have been stored
 * before; JSON, MessagePack and `v8.serialize` have none.)
 *
 * Only the shared tier becomes smaller: `weigh` and `max` of a cache see the values. Encoding refuses more than
 * `maxBytes`. Decoding throws DecompressError for damaged or longer data, which a cache takes for a miss and publishes on
 * the channel `tier-failed`.
 *
 * @throws InvalidOptionError
 */
export function compressed<V>(serializer: Serializer<V>, options: CompressedOptions = {}): Serializer<V> {
  innerRule(serializer, 'serializer');
  const { overBytes, level, asyncOverBytes, maxBytes } = readOptions('compressed', options, rules);
  const bound = { maxOutputLength: maxBytes };

  async function decompress(stream: Uint8Array): Promise<Uint8Array> {
    try {
      if (stream[0] !== zlib) throw new Error('it is of no known form');
      const bytes =
        stream.length > asyncOverBytes ? await inflated(stream, bound) : inflateSync(stream, bound);
      // a copy, because the buffer of zlib may be a small part of a larger one
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
