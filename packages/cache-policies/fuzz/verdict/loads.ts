/** A load of one key that the source was asked for. */
export interface Load {
  readonly key: number;
  readonly cache: number;
  readonly tick: number;
  readonly startedAt: number;
  readonly signal: AbortSignal;
}

export interface LoadRules {
  /** Whether the caches share what they load. */
  readonly shared: boolean;
  /** After so many milliseconds a load is given up, or another process may load as well. */
  readonly patienceMs: number;
  /** How long a loaded value is fresh; 0 where that cannot be known. */
  readonly freshMs: number;
}

interface Fresh extends Pick<Load, 'cache' | 'tick'> {
  readonly until: number;
}

/** Knows which loads are needless: one of the key is under way, or its result is fresh, and nothing has happened since. */
export class Loads {
  readonly #rules: LoadRules;
  readonly #underWay = new Set<Load>();
  readonly #fresh = new Map<number, Fresh>();
  /** When something last happened to a key that may take another load. */
  readonly #touched = new Map<number, number>();
  readonly #forgotten = new Set<number>();
  #allTouched = 0;
  count = 0;

  readonly #isUncertain: (key: number) => boolean;

  /** @param isUncertain whether it cannot be known at the moment if a load of the key is needless */
  constructor(rules: LoadRules, isUncertain: (key: number) => boolean) {
    this.#rules = rules;
    this.#isUncertain = isUncertain;
  }

  get underWay(): ReadonlySet<Load> {
    return this.#underWay;
  }

  touch(key: number | 'all', tick: number): void {
    if (key === 'all') this.#allTouched = tick;
    else this.#touched.set(key, tick);
  }

  underWayOf(key: number, cache: number): boolean {
    return [...this.#underWay].some(load => load.key === key && load.cache === cache);
  }

  /** How long its values are fresh is not known any more. */
  forget(key: number): void {
    this.#forgotten.add(key);
    this.#fresh.delete(key);
  }

  isTouched(key: number, since: number): boolean {
    return Math.max(this.#allTouched, this.#touched.get(key) ?? 0) > since;
  }

  /** Why it is needless, if it is. */
  begin(load: Load): { readonly kind: string; readonly detail: string } | undefined {
    this.count++;
    const { key, cache, startedAt } = load;
    const concerns = (other: { readonly cache: number; readonly tick: number }) =>
      (this.#rules.shared || other.cache === cache) && !this.isTouched(key, other.tick);
    const fresh = this.#fresh.get(key);
    const others = [...this.#underWay].filter(
      other => other.key === key && concerns(other) && startedAt < other.startedAt + this.#rules.patienceMs,
    );
    this.#underWay.add(load);
    if (this.#isUncertain(key)) return undefined;
    if (others.length > 0) return { kind: 'double load', detail: `of key ${key} while another is under way` };
    if (fresh === undefined || startedAt >= fresh.until || !concerns(fresh)) return undefined;
    return { kind: 'needless load', detail: `of key ${key}, whose value is fresh until ${fresh.until} ms` };
  }

  /** @param keeps whether the caches keep what it brings */
  end(load: Load, now: number, keeps: boolean): void {
    this.#underWay.delete(load);
    const { key, cache, tick, startedAt } = load;
    const { freshMs, patienceMs } = this.#rules;
    if (
      !keeps ||
      this.#isUncertain(key) ||
      freshMs === 0 ||
      this.#forgotten.has(key) ||
      now >= startedAt + patienceMs
    )
      this.#fresh.delete(key);
    else this.#fresh.set(key, { cache, tick, until: now + freshMs });
  }
}
