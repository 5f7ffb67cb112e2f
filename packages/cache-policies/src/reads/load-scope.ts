import { type AsyncStorage, asyncHooks } from '@ashlar/core';

/** What is loaded for one key. */
export interface Loaded {
  readonly id: unknown;
  /** While its source is called. */
  scope: LoadScope | undefined;
}

let storage: AsyncStorage<LoadScope> | undefined;
let running = 0;

/** Absent in a browser. */
function storageOfProcess(): AsyncStorage<LoadScope> | undefined {
  const hooks = asyncHooks();
  return hooks && new hooks.AsyncLocalStorage<LoadScope>();
}

/**
 * One call of a source, and what it waits for, over all caches of the process: so that a load that waits for itself is found,
 * however many caches and keys are between. What the source calls finds its scope by the async context. That is only on
 * while a source is called, because before Node 24 every promise of the process pays for it.
 */
export class LoadScope {
  #loaded: readonly Loaded[];
  /** The tier whose lease a key is loaded under. */
  readonly #tierOf: (loaded: Loaded) => unknown;
  /** The scope in whose course this one began. */
  #parent: LoadScope | undefined = LoadScope.current();
  readonly #waitsFor = new Set<Loaded>();
  #isRunning = false;
  #isOver = false;

  constructor(loaded: readonly Loaded[], tierOf: (loaded: Loaded) => unknown) {
    this.#loaded = loaded;
    this.#tierOf = tierOf;
  }

  /** That of the caller, unless it is over: what a load has left behind is a caller like any other. */
  static current(): LoadScope | undefined {
    const scope = running === 0 ? undefined : storage?.getStore();
    return scope === undefined || scope.#isOver ? undefined : scope;
  }

  /** Calls the source. `end` it, also when the source never settles. */
  run<T>(source: () => T): T {
    for (const one of this.#loaded) one.scope = this;
    this.#isRunning = true;
    running++;
    storage ??= storageOfProcess();
    return storage === undefined ? source() : storage.run(this, source);
  }

  /** Holds nothing any more, as contexts that the source has left behind may live long. */
  end(): void {
    this.#isOver = true;
    for (const one of this.#loaded) one.scope = undefined;
    this.#loaded = [];
    this.#parent = undefined;
    this.#waitsFor.clear();
    if (this.#isRunning && --running === 0) storage?.disable();
  }

  /** The source of this scope waits for it, until `waitsNoMore`. */
  waits(awaited: Loaded): void {
    this.#waitsFor.add(awaited);
  }

  waitsNoMore(awaited: Loaded): void {
    this.#waitsFor.delete(awaited);
  }

  /** Whether it waits for this scope in turn, itself or by what it waits for. */
  isAwaitedBy({ scope }: Loaded, seen: Set<LoadScope> = new Set()): boolean {
    if (scope === this) return true;
    if (scope === undefined || seen.has(scope)) return false;
    seen.add(scope);
    return [...scope.#waitsFor].some(next => this.isAwaitedBy(next, seen));
  }

  /** Whether this scope, or one in whose course it began, has the lease of the key in that tier. */
  holdsLease(tier: unknown, id: unknown): boolean {
    const isIts = this.#loaded.some(one => one.id === id && this.#tierOf(one) === tier);
    return isIts || this.#parent?.holdsLease(tier, id) === true;
  }
}
