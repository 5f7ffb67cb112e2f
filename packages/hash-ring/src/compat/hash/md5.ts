// RFC 1321. Constant i is the integer part of 2^32 × |sin(i + 1)|; every fraction cut off is far enough from 0 and 1
// for any `Math.sin`, a test sees to that.
const constants: Int32Array = Int32Array.from({ length: 64 }, (_, i) =>
  Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))),
);
const shifts: Int32Array = Int32Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);

const words: Int32Array = new Int32Array(16);
const state: Int32Array = new Int32Array(4);

/** MD5 of the first `length` bytes, as four little-endian words written to `digest`. */
export function md5(bytes: Uint8Array, length: number, digest: Uint32Array): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  let at = 0;
  for (; at + 64 <= length; at += 64) {
    for (let i = 0, from = at; i < 16; i++, from += 4) {
      words[i] = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24);
    }
    transform();
  }
  words.fill(0);
  const left = length - at;
  for (let i = 0; i < left; i++) words[i >> 2]! |= bytes[at + i]! << ((i & 3) * 8);
  words[left >> 2]! |= 0x80 << ((left & 3) * 8);
  if (left >= 56) {
    transform();
    words.fill(0);
  }
  words[14] = length << 3;
  words[15] = length / 2 ** 29;
  transform();
  digest.set(state);
}

const first: Uint32Array = new Uint32Array(4);

/** The first four bytes of the MD5, as a little-endian number: what ketama takes for a key. */
export function md5Word(bytes: Uint8Array, length: number): number {
  md5(bytes, length, first);
  return first[0]!;
}

function transform(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    let mixed: number;
    let word: number;
    if (round === 0) {
      mixed = (b & c) | (~b & d);
      word = i;
    } else if (round === 1) {
      mixed = (d & b) | (~d & c);
      word = (5 * i + 1) & 15;
    } else if (round === 2) {
      mixed = b ^ c ^ d;
      word = (3 * i + 5) & 15;
    } else {
      mixed = c ^ (b | ~d);
      word = (7 * i) & 15;
    }
    const sum = (a + mixed + constants[i]! + words[word]!) | 0;
    const shift = shifts[(round << 2) | (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}
