import { setImmediate as turn } from 'node:timers/promises';
import type { Source } from './library.ts';

/** A table whose reads and writes wait to be let through, before and after what they do. */
export class GatedSource implements Source {
  readonly #rows = new Map<string, number>();
  readonly #held: (() => void)[] = [];

  async load(key: string): Promise<number> {
    await this.#gate();
    const value = this.#rows.get(key) ?? 0;
    await this.#gate();
    return value;
  }

  async write(key: string, value: number): Promise<void> {
    await this.#gate();
    this.#rows.set(key, value);
    await this.#gate();
  }

  /** Lets one of those that wait through. */
  release(choice: number): void {
    const [open] = this.#held.splice(choice % Math.max(1, this.#held.length), 1);
    open?.();
  }

  /** Lets everything through until the work is done. Rejects as it does. */
  async finish(work: Promise<unknown>): Promise<void> {
    let isDone = false;
    const over = () => {
      isDone = true;
    };
    work.then(over, over);
    while (!isDone) {
      this.release(0);
      await turn();
    }
    await work;
  }

  #gate(): Promise<void> {
    return new Promise(resolve => void this.#held.push(resolve));
  }
}
