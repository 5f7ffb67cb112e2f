import type { MemoryTier, RemoteTier, TierSession } from '../../src/index.ts';
import { deferred, settle } from './caches.ts';

/** Holds whatever passes through it until it is told to let one go, so that a test decides the order of everything. */
export class Gates {
  readonly #held: (() => void)[] = [];
  isOpen = false;

  get size(): number {
    return this.#held.length;
  }

  async pass(): Promise<void> {
    if (this.isOpen) return;
    const gate = deferred<void>();
    this.#held.push(() => gate.resolve());
    await gate.promise;
  }

  async release(choice: number): Promise<void> {
    const [open] = this.#held.splice(choice % Math.max(1, this.#held.length), 1);
    open?.();
    await settle();
  }

  async releaseAll(): Promise<void> {
    this.isOpen = true;
    for (let i = 0; i < 1_000 && this.#held.length > 0; i++) await this.release(0);
  }
}

interface Applied {
  readonly value: string | undefined;
  readonly order: number;
}

/** A source whose reads and writes take their time before and after what they do. */
export class GatedSource {
  readonly #gates: Gates;
  readonly #now = new Map<string, Applied>();
  readonly #history = new Map<string, Applied[]>();
  /** For each key, the latest write that has resolved. */
  readonly #floor = new Map<string, number>();
  #order = 0;

  constructor(gates: Gates) {
    this.#gates = gates;
  }

  readonly load = async (key: string): Promise<string | undefined> => {
    await this.#gates.pass();
    const { value } = this.#now.get(key) ?? {};
    await this.#gates.pass();
    return value;
  };

  readonly loadMany = async (keys: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    await this.#gates.pass();
    const found = new Map<string, string>();
    for (const key of keys) {
      const { value } = this.#now.get(key) ?? {};
      if (value !== undefined) found.set(key, value);
    }
    await this.#gates.pass();
    return found;
  };

  readonly write = async (key: string, value: string | undefined): Promise<void> => {
    await this.#gates.pass();
    this.apply(key, value);
    await this.#gates.pass();
  };

  apply(key: string, value: string | undefined): number {
    const applied = { value, order: ++this.#order };
    this.#now.set(key, applied);
    this.#history.set(key, [...(this.#history.get(key) ?? []), applied]);
    return applied.order;
  }

  /** The last time the source took this value for the key. */
  orderOf(key: string, value: string | undefined): number {
    return this.#history.get(key)?.findLast(applied => applied.value === value)?.order ?? 0;
  }

  lastOrder(key: string): number {
    return this.#now.get(key)?.order ?? 0;
  }

  /** The first time after that one that the source took this value: a write that was begun then took effect no sooner. */
  orderAfter(key: string, value: string | undefined, order: number): number {
    const later = this.#history.get(key)?.find(applied => applied.value === value && applied.order > order);
    return later?.order ?? 0;
  }

  resolved(key: string, order: number): void {
    this.#floor.set(key, Math.max(this.floor(key), order));
  }

  floor(key: string): number {
    return this.#floor.get(key) ?? 0;
  }
}

/** A memory tier whose operations take their time before and after what they do. */
export function gatedTier(gates: Gates, tier: MemoryTier): RemoteTier {
  return {
    name: tier.name,
    get: key => tier.get(key),
    open: listener => {
      const session = tier.open(listener);
      return new Proxy(session, {
        get(target, property) {
          const value = Reflect.get(target, property, target) as unknown;
          if (typeof value !== 'function' || property === 'snapshot' || property === 'close') {
            return typeof value === 'function' ? value.bind(target) : value;
          }
          return async (...args: unknown[]) => {
            await gates.pass();
            const result: unknown = await (value as (...args: unknown[]) => unknown).apply(target, args);
            await gates.pass();
            return result;
          };
        },
      }) as TierSession;
    },
  };
}
