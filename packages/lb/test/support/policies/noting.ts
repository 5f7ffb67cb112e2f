import type { Candidate, Endpoint, Policy } from '../../../src/index.ts';

/** Round robin that keeps note of what it is told, and refuses weights of 100, or all. */
export class Noting<E extends Endpoint> implements Policy<E> {
  updates = 0;
  refuses = false;
  #all: readonly Candidate<E>[] = [];
  #next = 0;

  update(eligible: readonly Candidate<E>[]): void {
    if (eligible.some(({ weight }) => weight === 100)) throw new Error('too heavy');
    if (this.refuses) throw new Error('not now');
    this.updates++;
    this.#all = eligible;
  }

  pick({ skip }: Parameters<Policy<E>['pick']>[0]): Candidate<E> | undefined {
    for (let tries = 0; tries < this.#all.length; tries++) {
      const candidate = this.#all[this.#next++ % this.#all.length]!;
      if (!skip(candidate)) return candidate;
    }
    return undefined;
  }

  get weights(): Record<string, number> {
    return Object.fromEntries(this.#all.map(({ endpoint, weight }) => [endpoint.id, weight]));
  }
}
