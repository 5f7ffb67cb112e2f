const blockBytes = 64;
const lengthBytes = 8;

/** SHA-256 as FIPS 180-4 has it, where there is no `node:crypto`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const state = initial.slice();
  const words = new Uint32Array(blockBytes);
  const whole = bytes.length - (bytes.length % blockBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += blockBytes) mix(state, view, at, words);
  const rest = bytes.subarray(whole);
  const last = new Uint8Array(rest.length + 1 + lengthBytes > blockBytes ? 2 * blockBytes : blockBytes);
  last.set(rest);
  last[rest.length] = 0x80;
  const end = new DataView(last.buffer);
  end.setBigUint64(last.length - lengthBytes, BigInt(bytes.length) * 8n);
  for (let at = 0; at < last.length; at += blockBytes) mix(state, end, at, words);
  const digest = new DataView(new ArrayBuffer(4 * state.length));
  for (const [index, word] of state.entries()) digest.setUint32(4 * index, word);
  return new Uint8Array(digest.buffer);
}

/** The first 32 bits of the fractional parts of the roots of the first primes: square roots begin, cube roots are added. */
const primes = firstPrimes(64);
const initial = Uint32Array.from(primes.slice(0, 8), prime => fractionOf(Math.sqrt(prime)));
const added = Uint32Array.from(primes, prime => fractionOf(Math.cbrt(prime)));

function mix(state: Uint32Array, view: DataView, at: number, words: Uint32Array): void {
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < words.length; i++) {
    const [early, late] = [words[i - 15]!, words[i - 2]!];
    const small = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
    const large = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
    words[i] = words[i - 16]! + small + words[i - 7]! + large;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < words.length; i++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + choice + added[i]! + words[i]!;
    const second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + majority;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  for (const [index, word] of [a, b, c, d, e, f, g, h].entries()) state[index]! += word;
}

function rotated(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function fractionOf(root: number): number {
  return Math.floor((root % 1) * 2 ** 32);
}

function firstPrimes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every(prime => n % prime !== 0)) found.push(n);
  return found;
}
