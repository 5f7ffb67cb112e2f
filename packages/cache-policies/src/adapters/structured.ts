import { deserialize, serialize } from 'node:v8';
import { lostIn } from '@ashlar/core';
import type { Serializer } from '../tiers/serializer.ts';

/** Of objects that `v8.serialize` keeps as they are. */
const kept: ReadonlySet<unknown> = new Set(
  [
    ...[Map, Set, Date, RegExp, ArrayBuffer, DataView, Buffer],
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ].map(({ prototype }) => prototype as unknown),
);

const keeps = { primitives: true, prototype: (prototype: object) => kept.has(prototype) };

/**
 * The structured clone of `node:v8`: keeps Date, Map, Set, RegExp, NaN, Infinity, bigint, `undefined`, typed arrays, Buffers
 * and circles. Refuses what would come back as something else, as a function, an Error or an instance of a class with
 * methods, with an error that names its place.
 *
 * A Node reads what the same or an older version of Node wrote; what a newer one wrote may be a miss. It is no format for
 * bytes from a stranger, nor for programs in other languages.
 */
export function structuredSerializer<V>(): Serializer<V> {
  return {
    encode(value) {
      const lost = lostIn(value, keeps);
      if (lost !== undefined) throw new TypeError(`the structured clone does not keep ${lost}`);
      return serialize(value);
    },
    // of a copy, which typed arrays in the value share
    decode: bytes => deserialize(new Uint8Array(bytes)) as V,
  };
}
