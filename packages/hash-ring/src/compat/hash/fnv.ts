// The C code that these follow adds `char`, which is signed on the machines it runs on: a byte from 0x80 on enters
// with its sign extended to 32 bits. The variants called `_64` keep 32 bits only.

/** FNV-1 with the given offset basis and prime. */
function fnv1(bytes: Uint8Array, length: number, basis: number, prime: number): number {
  let hash = basis;
  for (let i = 0; i < length; i++) hash = Math.imul(hash, prime) ^ signed(bytes[i]!);
  return hash >>> 0;
}

/** FNV-1a with the given offset basis and prime. */
function fnv1a(bytes: Uint8Array, length: number, basis: number, prime: number): number {
  let hash = basis;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ signed(bytes[i]!), prime);
  return hash >>> 0;
}

/** `fnv1_32` of libmemcached and twemproxy. */
export function fnv1_32(bytes: Uint8Array, length: number): number {
  return fnv1(bytes, length, 0x811c9dc5, 0x01000193);
}

/** `fnv1a_32` of libmemcached and twemproxy. */
export function fnv1a_32(bytes: Uint8Array, length: number): number {
  return fnv1a(bytes, length, 0x811c9dc5, 0x01000193);
}

/** `fnv1_64` of libmemcached and twemproxy. */
export function fnv1_64(bytes: Uint8Array, length: number): number {
  return fnv1(bytes, length, 0x84222325, 0x1b3);
}

/** `fnv1a_64` of libmemcached and twemproxy. */
export function fnv1a_64(bytes: Uint8Array, length: number): number {
  return fnv1a(bytes, length, 0x84222325, 0x1b3);
}

function signed(byte: number): number {
  return (byte << 24) >> 24;
}
