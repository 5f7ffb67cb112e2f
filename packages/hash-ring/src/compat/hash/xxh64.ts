import { carry, mul64High, word } from '../../hash/u64.ts';

// Halves of the five primes of the specification, by Yann Collet
const p1High = 0x9e3779b1 | 0;
const p1Low = 0x85ebca87 | 0;
const p2High = 0xc2b2ae3d | 0;
const p2Low = 0x27d4eb4f | 0;
const p3High = 0x165667b1 | 0;
const p3Low = 0x9e3779f9 | 0;
const p4High = 0x85ebca77 | 0;
const p4Low = 0xc2b2ae63 | 0;
const p5High = 0x27d4eb2f | 0;
const p5Low = 0x165667c5 | 0;

/** The four lanes of an input of 32 bytes or more, each as upper and lower half. */
const lanes: Int32Array = new Int32Array(8);
const laneTurns: Uint8Array = Uint8Array.of(1, 7, 12, 18);
/** What the lanes come to, as upper and lower half. */
const merged: Int32Array = new Int32Array(2);

/** XXH64 of the first `length` bytes, written to `digest` as upper and lower half. The seed has at most 32 bits. */
export function xxh64(bytes: Uint8Array, length: number, seed: number, digest: Uint32Array): void {
  let high = (p5High + carry(seed, p5Low)) | 0;
  let low = (p5Low + seed) | 0;
  let at = 0;
  if (length >= 32) {
    at = mergeStripes(bytes, length, seed);
    high = merged[0]!;
    low = merged[1]!;
  }
  high = (high + carry(low, length)) | 0;
  low = (low + length) | 0;
  let turnedHigh = 0;
  let turnedLow = 0;
  for (; at + 8 <= length; at += 8) {
    // state = rotate(state ^ rotate(input × prime 2, 31) × prime 1, 27) × prime 1 + prime 4
    const inputLow = word(bytes, at);
    const productHigh = mul64High(word(bytes, at + 4), inputLow, p2High, p2Low);
    const productLow = Math.imul(inputLow, p2Low);
    turnedHigh = (productHigh << 31) | (productLow >>> 1);
    turnedLow = (productLow << 31) | (productHigh >>> 1);
    high ^= mul64High(turnedHigh, turnedLow, p1High, p1Low);
    low ^= Math.imul(turnedLow, p1Low);
    turnedHigh = (high << 27) | (low >>> 5);
    turnedLow = (low << 27) | (high >>> 5);
    low = Math.imul(turnedLow, p1Low);
    high = (mul64High(turnedHigh, turnedLow, p1High, p1Low) + p4High + carry(low, p4Low)) | 0;
    low = (low + p4Low) | 0;
  }
  if (at + 4 <= length) {
    // state = rotate(state ^ input × prime 1, 23) × prime 2 + prime 3
    const input = word(bytes, at);
    high ^= mul64High(0, input, p1High, p1Low);
    low ^= Math.imul(input, p1Low);
    turnedHigh = (high << 23) | (low >>> 9);
    turnedLow = (low << 23) | (high >>> 9);
    low = Math.imul(turnedLow, p2Low);
    high = (mul64High(turnedHigh, turnedLow, p2High, p2Low) + p3High + carry(low, p3Low)) | 0;
    low = (low + p3Low) | 0;
    at += 4;
  }
  for (; at < length; at++) {
    // state = rotate(state ^ input × prime 5, 11) × prime 1
    const input = bytes[at]!;
    high ^= mul64High(0, input, p5High, p5Low);
    low ^= Math.imul(input, p5Low);
    turnedHigh = (high << 11) | (low >>> 21);
    turnedLow = (low << 11) | (high >>> 21);
    high = mul64High(turnedHigh, turnedLow, p1High, p1Low);
    low = Math.imul(turnedLow, p1Low);
  }
  low ^= high >>> 1;
  high = mul64High(high, low, p2High, p2Low);
  low = Math.imul(low, p2Low);
  low ^= (low >>> 29) | (high << 3);
  high ^= high >>> 29;
  high = mul64High(high, low, p3High, p3Low);
  digest[0] = high;
  digest[1] = Math.imul(low, p3Low) ^ high;
}

/** Takes all whole stripes of 32 bytes into `merged`; returns where they end. */
function mergeStripes(bytes: Uint8Array, length: number, seed: number): number {
  const end = length & ~31;
  setLane(0, p1High + p2High + carry(p1Low, p2Low), p1Low + p2Low, seed);
  setLane(2, p2High, p2Low, seed);
  setLane(4, 0, 0, seed);
  setLane(6, ~p1High, -p1Low, seed);
  for (let at = 0; at < end; at += 8) mixLane((at >> 2) & 6, word(bytes, at + 4), word(bytes, at));
  merged.fill(0);
  for (let lane = 0; lane < 8; lane += 2) {
    const by = laneTurns[lane >> 1]!;
    const high = lanes[lane]!;
    const low = lanes[lane + 1]!;
    const turnedLow = (low << by) | (high >>> (32 - by));
    merged[0]! += ((high << by) | (low >>> (32 - by))) + carry(merged[1]!, turnedLow);
    merged[1]! += turnedLow;
  }
  for (let lane = 0; lane < 8; lane += 2) {
    const high = lanes[lane]!;
    const low = lanes[lane + 1]!;
    setLane(lane, 0, 0, 0);
    mixLane(lane, high, low);
    const mixedHigh = merged[0]! ^ lanes[lane]!;
    const mixedLow = merged[1]! ^ lanes[lane + 1]!;
    const productLow = Math.imul(mixedLow, p1Low);
    merged[0] = mul64High(mixedHigh, mixedLow, p1High, p1Low) + p4High + carry(productLow, p4Low);
    merged[1] = productLow + p4Low;
  }
  return end;
}

function setLane(lane: number, high: number, low: number, seed: number): void {
  lanes[lane] = high + carry(low, seed);
  lanes[lane + 1] = low + seed;
}

/** lane = rotate(lane + input × prime 2, 31) × prime 1 */
function mixLane(lane: number, inputHigh: number, inputLow: number): void {
  const productLow = Math.imul(inputLow, p2Low);
  const sumLow = (lanes[lane + 1]! + productLow) | 0;
  const sumHigh =
    (lanes[lane]! + mul64High(inputHigh, inputLow, p2High, p2Low) + carry(lanes[lane + 1]!, productLow)) | 0;
  const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
  lanes[lane] = mul64High((sumHigh << 31) | (sumLow >>> 1), turnedLow, p1High, p1Low);
  lanes[lane + 1] = Math.imul(turnedLow, p1Low);
}
