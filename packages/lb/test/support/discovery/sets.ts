import { onTestFinished } from 'vitest';
import type { Discovery, Endpoint } from '../../../src/index.ts';

/** Reads a discovery until the end of the test, and keeps what it gave. */
export class Sets<E extends Endpoint> {
  /** The ids of each set, in the order in which they came. */
  readonly ids: string[][] = [];
  latest: readonly E[] | undefined;
  error: unknown;
  ended = false;
  readonly #iterator: AsyncIterator<readonly E[]>;

  constructor(discovery: Discovery<E>) {
    this.#iterator = discovery[Symbol.asyncIterator]();
    onTestFinished(() => this.leave());
    void this.#read();
  }

  async leave(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #read(): Promise<void> {
    try {
      for (let item = await this.#iterator.next(); item.done !== true; item = await this.#iterator.next()) {
        this.latest = item.value;
        this.ids.push(item.value.map(({ id }) => id));
      }
    } catch (error) {
      this.error = error;
    }
    this.ended = true;
  }
}
