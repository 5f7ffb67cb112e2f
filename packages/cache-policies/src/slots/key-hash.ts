import { mix } from './hash.ts';

const float = new Float64Array(1);
const halves = new Int32Array(float.buffer);

/**
 * Seeded 32-bit hashes of the keys of a `Map`, of any kind: keys that a `Map` takes for equal have the same hash. Objects
 * are numbered as they come, and not kept alive.
 */
export class KeyHash {
  readonly #seed: number;
  #numbers: WeakMap<object, number> | undefined;
  #numbered = 0;
  /** The last string and its hash: several parts of a cache often hash the same key in a row. */
  #last = '';
  #lastHash: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
    this.#lastHash = this.#text('', this.#seed);
  }

  of(key: unknown): number {
    if (typeof key === 'string') {
      if (key !== this.#last) {
        this.#lastHash = this.#text(key, this.#seed);
        this.#last = key;
      }
      return this.#lastHash;
    }
    if (typeof key === 'number') return this.#number(key);
    if (typeof key === 'object' && key !== null) return this.#object(key);
    if (typeof key === 'function') return this.#object(key);
    return this.#text(typeof key === 'symbol' ? (key.description ?? '') : String(key), ~this.#seed);
  }

  #text(text: string, seed: number): number {
    const { length } = text;
    let hash = seed ^ length;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return mix(hash);
  }

  #number(key: number): number {
    const whole = key | 0;
    if (whole === key) return mix(whole ^ this.#seed);
    float[0] = Number.isNaN(key) ? Number.NaN : key;
    return mix(halves[0]! ^ mix(halves[1]! ^ ~this.#seed));
  }

  #object(key: object): number {
    this.#numbers ??= new WeakMap();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = ++this.#numbered;
      this.#numbers.set(key, number);
    }
    return mix(number ^ Math.imul(this.#seed, 3));
  }
}
