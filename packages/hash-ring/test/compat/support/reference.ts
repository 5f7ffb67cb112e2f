// The plain text of hash functions in `BigInt`, to compare with.

const mask = 2n ** 64n - 1n;
const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];

/** XXH64 as its specification words it. */
export function xxh64Reference(bytes: Uint8Array, seed = 0n): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash = (seed + p5) & mask;
  if (bytes.length >= 32) {
    let lanes = [seed + p1 + p2, seed + p2, seed, seed - p1].map(lane => lane & mask);
    for (; at + 32 <= bytes.length; at += 32) {
      lanes = lanes.map((lane, i) => mixed(lane, view.getBigUint64(at + 8 * i, true)));
    }
    hash = lanes.reduce((sum, lane, i) => sum + rotated(lane, [1n, 7n, 12n, 18n][i]!), 0n) & mask;
    for (const lane of lanes) hash = ((hash ^ mixed(0n, lane)) * p1 + p4) & mask;
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotated(hash ^ mixed(0n, view.getBigUint64(at, true)), 27n) * p1 + p4) & mask;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotated(hash ^ ((BigInt(view.getUint32(at, true)) * p1) & mask), 23n) * p2 + p3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at++)
    hash = (rotated(hash ^ ((BigInt(bytes[at]!) * p5) & mask), 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 33n)) * p2) & mask;
  hash = ((hash ^ (hash >> 29n)) * p3) & mask;
  return hash ^ (hash >> 32n);
}

function mixed(lane: bigint, input: bigint): bigint {
  return (rotated((lane + input * p2) & mask, 31n) * p1) & mask;
}

function rotated(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & mask;
}

/** MurmurHash64A with the seed of libstdc++. */
export function murmur64AReference(bytes: Uint8Array): bigint {
  const prime = 0xc6a4a7935bd1e995n;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let hash = 0xc70f6907n ^ ((BigInt(bytes.length) * prime) & mask);
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    const block = (view.getBigUint64(at, true) * prime) & mask;
    hash = ((hash ^ (((block ^ (block >> 47n)) * prime) & mask)) * prime) & mask;
  }
  if (at < bytes.length) {
    const rest = bytes.subarray(at).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    hash = ((hash ^ rest) * prime) & mask;
  }
  hash = ((hash ^ (hash >> 47n)) * prime) & mask;
  return hash ^ (hash >> 47n);
}

/** The jump of Lamping and Veach's paper. */
export function jumpReference(key64: bigint, buckets: number): number {
  let key = BigInt.asUintN(64, key64);
  let bucket = -1;
  let next = 0;
  while (next < buckets) {
    bucket = next;
    key = (key * 2862933555777941757n + 1n) & mask;
    next = Math.trunc((bucket + 1) * (2 ** 31 / (Number(key >> 33n) + 1)));
  }
  return bucket;
}
