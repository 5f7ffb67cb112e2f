import type { Outcome } from '../outcome.ts';
import type { Detector } from './detector.ts';

/** Ejects after so many failures in a row, of whatever kind. Keeps on saying so until one request succeeds. */
export class ConsecutiveFailures implements Detector {
  readonly #limit: number;
  /** Those whose last request failed; empty as a rule, so that a success costs nothing. */
  readonly #inRow = new Map<object, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  observe(endpoint: object, { ok }: Outcome): string | undefined {
    if (ok) {
      this.forget(endpoint);
      return undefined;
    }
    const failures = (this.#inRow.get(endpoint) ?? 0) + 1;
    this.#inRow.set(endpoint, failures);
    return failures >= this.#limit ? `${failures} failures in a row` : undefined;
  }

  forget(endpoint: object): void {
    if (this.#inRow.size > 0) this.#inRow.delete(endpoint);
  }
}
