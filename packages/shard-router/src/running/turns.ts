/** One after another, in the order in which they asked. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  /** Resolves when it is the caller's turn, which ends with a call of what it resolves to. Rejects with the signal's reason. */
  take(signal?: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let isOver = false;
      const over = () => {
        if (isOver) return;
        isOver = true;
        this.#next();
      };
      const begin = () => {
        signal?.removeEventListener('abort', leave);
        resolve(over);
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(signal?.reason);
      };
      if (!this.#isTaken) {
        this.#isTaken = true;
        return resolve(over);
      }
      this.#waiting.push(begin);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }
}
