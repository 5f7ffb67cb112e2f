/** Of 32 bits; 0 and -0 are one. */
export function isInteger(key: unknown): key is number {
  return typeof key === 'number' && (key | 0) === key;
}

/** Different for different integers of 32 bits; the high bits are the well mixed ones. */
export function hashInteger(key: number): number {
  return Math.imul(key ^ (key >>> 15), 0x9e3779b1);
}

/** Of the whole string, but for the middle of a long one; the high bits are the well mixed ones. */
export function hashString(key: string): number {
  const { length } = key;
  if (length <= 64) return finish(hashPart(key, 0, length, length));
  return finish(hashPart(key, length - 32, length, hashPart(key, 0, 32, length)));
}

/** Two characters a round: what takes long is to read them and to multiply. */
function hashPart(key: string, start: number, end: number, seed: number): number {
  let hash = seed;
  let i = start;
  for (; i + 1 < end; i += 2) {
    hash = Math.imul(hash ^ key.charCodeAt(i) ^ (key.charCodeAt(i + 1) << 16), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  return i < end ? Math.imul(hash ^ key.charCodeAt(i), 0x85ebca6b) : hash;
}

function finish(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
}

/** Spreads the bits of a 32-bit integer over all of them; the finalizer of MurmurHash3. */
export function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
