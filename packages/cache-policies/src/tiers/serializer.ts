import { jsonOf } from '@ashlar/core';

/** Makes bytes of values, for shared tiers and journals, and values of bytes. */
export interface Serializer<V> {
  encode(value: V): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): V | Promise<V>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON in UTF-8. Refuses what would come back as something else, as Date, Map, NaN, bigint or an instance of a class with
 * methods, with an error that names its place: use `structuredSerializer` of `@ashlar/cache-policies/structured` for it, or
 * give the cache plain data. An `undefined` property is left out.
 */
export function jsonSerializer<V>(): Serializer<V> {
  return {
    encode: value => encoder.encode(jsonOf(value)),
    decode: bytes => JSON.parse(decoder.decode(bytes)) as V,
  };
}
