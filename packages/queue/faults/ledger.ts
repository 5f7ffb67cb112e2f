import { within } from '@workspace/services';
import type { Tally } from './fault.ts';

const usualPatienceMs = 60_000;

/**
 * What was tried, confirmed, begun and done, as the total-queue checker of Jepsen counts it: a confirmed message that no
 * handler finished is lost; one that nobody published is unexpected; one whose confirmation was lost and that came all the
 * same is recovered, which is as good as confirmed.
 */
export class Ledger {
  readonly #tried = new Set<number>();
  readonly #confirmed = new Set<number>();
  readonly #begun = new Map<number, number[]>();
  readonly #done = new Map<number, number>();

  tried(n: number): void {
    this.#tried.add(n);
  }

  confirmed(n: number): void {
    this.#confirmed.add(n);
  }

  begun(n: number): void {
    this.#begun.set(n, [...(this.#begun.get(n) ?? []), performance.now()]);
  }

  done(n: number): void {
    this.#done.set(n, (this.#done.get(n) ?? 0) + 1);
  }

  get handled(): number {
    return this.#done.size;
  }

  get confirmations(): number {
    return this.#confirmed.size;
  }

  isDone(n: number): boolean {
    return this.#done.has(n);
  }

  /** When the message was begun for the last time. */
  lastBegun(n: number): number {
    return this.#begun.get(n)?.at(-1) ?? Number.NaN;
  }

  /** Those that were begun and are not done. */
  get open(): number[] {
    return [...this.#begun.keys()].filter(n => !this.#done.has(n));
  }

  /** Waits until every confirmed message is done, for as long as that may take, and counts. */
  async judge(tally: Tally, patienceMs: number = usualPatienceMs): Promise<void> {
    const missing = () => [...this.#confirmed].filter(n => !this.#done.has(n));
    await within(patienceMs, async () => (missing().length === 0 ? true : undefined));
    tally.operations += this.#confirmed.size;
    tally.lost += missing().length;
    for (const [n, times] of this.#done) {
      if (times > 1) tally.duplicated++;
      if (this.#tried.has(n) && !this.#confirmed.has(n)) tally.recovered++;
      tally.expect(this.#tried.has(n), `message ${n} was handled, and nobody published it`);
    }
  }
}
