// 64-bit integers are kept as two signed or unsigned 32-bit halves: `BigInt` would be some twenty times slower.

/** The upper half of the lower 64 bits of a product, whose lower half is `Math.imul(aLow, bLow)`. */
export function mul64High(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  // The double is off by less than 2 ** 11, so what is left without the lower half is next to a multiple of 2 ** 32
  const upper = (aLow >>> 0) * (bLow >>> 0) - (Math.imul(aLow, bLow) >>> 0);
  return (((upper / 2 ** 32 + 0.5) | 0) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** 1 if the lower halves of two addends carry into the upper ones. */
export function carry(aLow: number, bLow: number): 0 | 1 {
  return (aLow >>> 0) + (bLow >>> 0) > 0xffffffff ? 1 : 0;
}

/** The little-endian 32-bit word at `at`. */
export function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
