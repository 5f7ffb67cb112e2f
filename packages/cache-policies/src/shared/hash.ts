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
  let hash = length;
  const head = length > 64 ? 32 : length;
  for (let i = 0; i < head; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  for (let i = Math.max(head, length - 32); i < length; i++) {
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  }
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
}
