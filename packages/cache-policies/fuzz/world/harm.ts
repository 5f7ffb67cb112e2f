import type { Harmable, Harms } from '../grammar/names.ts';

/** What a harmed callback throws. */
export class HarmError extends Error {
  constructor(what: Harmable) {
    super(`the harmed ${what} throws`);
  }
}

/** Which callbacks do what instead of their work, and how often yet. */
export class Harm {
  readonly #armed = new Map<Harmable, { readonly how: Harms; times: number }>();
  readonly #onHarm: () => void;
  /** Callbacks that have been harmed in this case. */
  readonly done: Set<Harmable> = new Set();

  /** @param onHarm called for each time that a callback was harmed */
  constructor(onHarm: () => void) {
    this.#onHarm = onHarm;
  }

  get isArmed(): boolean {
    return this.#armed.size > 0;
  }

  arm(what: Harmable, how: Harms, times: number): void {
    this.#armed.set(what, { how, times });
  }

  disarm(): void {
    this.#armed.clear();
  }

  take(what: Harmable): Harms | undefined {
    const armed = this.#armed.get(what);
    if (armed === undefined) return undefined;
    if (--armed.times === 0) this.#armed.delete(what);
    this.done.add(what);
    this.#onHarm();
    return armed.how;
  }

  /** A synchronous callback: it throws, or returns nonsense. */
  sync<T>(what: Harmable, nonsense: unknown, work: () => T): T {
    const how = this.take(what);
    if (how === undefined) return work();
    if (how === 'nonsense') return nonsense as T;
    throw new HarmError(what);
  }
}

export function forever<T>(): Promise<T> {
  return new Promise(() => {});
}
