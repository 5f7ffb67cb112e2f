import type { View } from '@ashlar-examples/storefront';

/** The page views that the nightly work is made of: in memory here, a table of a warehouse elsewhere. */
export class ViewLog {
  readonly #views = new Map<string, number>();
  readonly #visits = new Map<string, Set<string>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(views: readonly View[]): void {
    for (const { product, visit = '' } of views) {
      this.#count++;
      this.#views.set(product, (this.#views.get(product) ?? 0) + 1);
      const seen = this.#visits.get(visit) ?? new Set();
      this.#visits.set(visit, seen.add(product));
    }
  }

  products(): string[] {
    return [...this.#views.keys()].sort();
  }

  top(count: number): string[] {
    const ranked = [...this.#views].sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
    return ranked.slice(0, count).map(([product]) => product);
  }

  /** What was looked at in the same visits, the most often first. */
  relatedTo(product: string, count: number): string[] {
    const together = new Map<string, number>();
    for (const seen of this.#visits.values()) {
      if (!seen.has(product)) continue;
      for (const other of seen) if (other !== product) together.set(other, (together.get(other) ?? 0) + 1);
    }
    const ranked = [...together].sort(([a, x], [b, y]) => y - x || a.localeCompare(b));
    return ranked.slice(0, count).map(([other]) => other);
  }
}
