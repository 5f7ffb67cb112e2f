import type { Setup } from '../case.ts';

/** What the caches are given for the keys of a setup, which are numbers elsewhere. */
export class Keys {
  readonly #setup: Setup;
  readonly #objects: readonly { readonly text: string; readonly key: number }[];
  /** Whether the cache makes a string of each. */
  readonly needsText: boolean;
  readonly needsKeyOf: boolean;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.#objects = setup.keys.map((text, key) => ({ text, key }));
    this.needsText = setup.tier !== 'none' || setup.write === 'journal';
    this.needsKeyOf = setup.keyType === 'object' && (this.needsText || setup.random % 2 === 0);
  }

  give(key: number): unknown {
    const text = this.#setup.keys[key]!;
    const { keyType } = this.#setup;
    if (keyType === 'text') return text;
    if (keyType === 'number') return Number(text);
    if (keyType === 'bigint') return BigInt(text);
    const object = this.#objects[key]!;
    return this.needsKeyOf ? { ...object } : object;
  }

  /** The number of what a callback was given. */
  take(given: unknown): number {
    const { keyType, keys } = this.#setup;
    if (keyType === 'object') return (given as { readonly key: number }).key;
    const at = keys.findIndex((_, key) => Object.is(this.give(key), given));
    if (at < 0) throw new Error('a callback was given a key that there is not');
    return at;
  }

  /** What the shared tier calls it. */
  textOf(key: number): string {
    return this.#setup.keyType === 'object' ? this.#setup.keys[key]! : String(this.give(key));
  }

  ofText(text: string): number {
    return this.#setup.keys.findIndex((_, key) => this.textOf(key) === text);
  }

  /** Half a surrogate pair has no form outside of the process. */
  isRefused(key: number): boolean {
    return this.needsText && !isWellFormed(this.textOf(key));
  }
}

function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
