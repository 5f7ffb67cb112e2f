/** Paul Hsieh's SuperFastHash as twemproxy has it: of three bytes left over, the third is taken for a signed one. */
export function hsieh(bytes: Uint8Array, length: number): number {
  if (length === 0) return 0;
  let hash = 0;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    hash = (hash + half(bytes, at)) | 0;
    hash = (hash << 16) ^ (half(bytes, at + 2) << 11) ^ hash;
    hash = (hash + (hash >>> 11)) | 0;
  }
  const left = length - at;
  if (left === 3) {
    hash = (hash + half(bytes, at)) | 0;
    hash ^= (hash << 16) ^ (((bytes[at + 2]! << 24) >> 24) << 18);
    hash = (hash + (hash >>> 11)) | 0;
  } else if (left === 2) {
    hash = (hash + half(bytes, at)) | 0;
    hash ^= hash << 11;
    hash = (hash + (hash >>> 17)) | 0;
  } else if (left === 1) {
    hash = (hash + bytes[at]!) | 0;
    hash ^= hash << 10;
    hash = (hash + (hash >>> 1)) | 0;
  }
  hash ^= hash << 3;
  hash = (hash + (hash >>> 5)) | 0;
  hash ^= hash << 4;
  hash = (hash + (hash >>> 17)) | 0;
  hash ^= hash << 25;
  return (hash + (hash >>> 6)) >>> 0;
}

function half(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}
