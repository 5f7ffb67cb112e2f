import type { Job } from '../../driver.ts';

/** What handlers returned, of the last messages of a group. */
export class Results {
  readonly #max: number;
  readonly #jobs = new Map<string, Job>();

  constructor(max: number) {
    this.#max = max;
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  all(): IterableIterator<[string, Job]> {
    return this.#jobs.entries();
  }

  add(id: string, job: Job): void {
    this.#jobs.delete(id);
    this.#jobs.set(id, job);
    for (const oldest of this.#jobs.keys()) {
      if (this.#jobs.size <= this.#max) break;
      this.#jobs.delete(oldest);
    }
  }
}
