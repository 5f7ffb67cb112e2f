const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Of short texts, a Buffer is made several times as fast; browsers have none
const hasBuffer = typeof Buffer !== 'undefined';

/** The UTF-8 of a text. */
export const bytesOf: (text: string) => Uint8Array = hasBuffer
  ? text => Buffer.from(text)
  : text => encoder.encode(text);

/** The text of UTF-8. */
export const textOf: (bytes: Uint8Array) => string = hasBuffer
  ? bytes => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  : bytes => decoder.decode(bytes);
