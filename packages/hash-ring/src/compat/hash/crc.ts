const crc32Table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
const crc16Table: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** CRC-32 (IEEE 802.3) of the bytes. */
export function crc32(bytes: Uint8Array, length: number): number {
  return crc32Finish(crc32Update(-1, bytes, length));
}

/** Takes the register of CRC-32, -1 at the start, over the bytes. */
export function crc32Update(register: number, bytes: Uint8Array, length: number): number {
  let crc = register;
  for (let i = 0; i < length; i++) crc = crc32Table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

export function crc32Finish(register: number): number {
  return ~register >>> 0;
}

/** 15 bits out of the middle of a CRC-32, which is what memcached's clients call `crc32`. */
export function crc32Memcached(bytes: Uint8Array, length: number): number {
  return (crc32(bytes, length) >>> 16) & 0x7fff;
}

/**
 * CRC-16/XMODEM of the bytes (polynomial 0x1021, not reflected, from 0) in the lower 16 bits; above them stays what was
 * shifted out, as in twemproxy.
 */
export function crc16(bytes: Uint8Array, length: number): number {
  let crc = 0;
  for (let i = 0; i < length; i++) crc = (crc << 8) ^ crc16Table[((crc >>> 8) ^ bytes[i]!) & 0xff]!;
  return crc >>> 0;
}
