import type { Store } from '@ashlar/store';

const never = new Promise<never>(() => {});

/** The store as a process has it that can be killed: after that, it sends nothing and hears nothing. */
export class MortalStore {
  readonly store: Store;
  #isDead = false;

  constructor(store: Store) {
    this.store = new Proxy(store, {
      get: (target, property) => {
        const value = Reflect.get(target, property, target) as unknown;
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        // These return iterables; what they yield is of no use without the other calls
        if (property === 'list' || property === 'watch') return method;
        return async (...args: unknown[]) => {
          if (this.#isDead) return never;
          const answer = await method(...args);
          return this.#isDead ? never : answer;
        };
      },
    });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  kill(): void {
    this.#isDead = true;
  }

  /** Resolves while it lives, so that the work of a dead process goes no further. */
  async alive(): Promise<void> {
    if (this.#isDead) await never;
  }
}
