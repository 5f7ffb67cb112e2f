/** The 16 bytes that `readUuid` has read, as four words whose lowest byte is the first. */
export const sixteen: Int32Array = new Int32Array(4);

/** The value of a hexadecimal digit by its code; less than zero for others. */
const digits = new Int8Array(128).fill(-1);
for (const digit of '0123456789abcdefABCDEF') digits[digit.charCodeAt(0)] = Number.parseInt(digit, 16);

const dash = 45;

/** Reads a UUID in its canonical form into `sixteen`. Whether it is one. */
export function readUuid(text: string): boolean {
  if (
    text.length !== 36 ||
    text.charCodeAt(8) !== dash ||
    text.charCodeAt(13) !== dash ||
    text.charCodeAt(18) !== dash ||
    text.charCodeAt(23) !== dash
  ) {
    return false;
  }
  isHex = true;
  sixteen[0] = byteAt(text, 0) | (byteAt(text, 2) << 8) | (byteAt(text, 4) << 16) | (byteAt(text, 6) << 24);
  sixteen[1] =
    byteAt(text, 9) | (byteAt(text, 11) << 8) | (byteAt(text, 14) << 16) | (byteAt(text, 16) << 24);
  sixteen[2] =
    byteAt(text, 19) | (byteAt(text, 21) << 8) | (byteAt(text, 24) << 16) | (byteAt(text, 26) << 24);
  sixteen[3] =
    byteAt(text, 28) | (byteAt(text, 30) << 8) | (byteAt(text, 32) << 16) | (byteAt(text, 34) << 24);
  return isHex;
}

/** Whether all digits since it was set were some. */
let isHex = true;

function byteAt(text: string, at: number): number {
  const upper = text.charCodeAt(at);
  const lower = text.charCodeAt(at + 1);
  const byte = (upper | lower) < 128 ? (digits[upper]! << 4) | digits[lower]! : -1;
  if (byte < 0) isHex = false;
  return byte;
}
