/** Makes bytes of values, for shared tiers and journals, and values of bytes. */
export interface Serializer<V> {
  encode(value: V): Uint8Array | Promise<Uint8Array>;
  decode(bytes: Uint8Array): V | Promise<V>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** JSON in UTF-8. Dates become strings. A value that JSON cannot represent, as `undefined` or a function, is refused. */
export function jsonSerializer<V>(): Serializer<V> {
  return {
    encode(value) {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError('JSON cannot represent this value');
      return encoder.encode(text);
    },
    decode: bytes => JSON.parse(decoder.decode(bytes)) as V,
  };
}
