import type { Trace } from '../trace/trace.ts';
import { count, percent } from './output/format.ts';

/** How often the line on a terminal changes. */
const everyMs = 100;
/** After so many requests there is a line where there is no terminal. */
const everyRequests = 1_000_000;

/** Says on the standard error how far the replay is: in one line that changes on a terminal, else in a few lines. */
export class Progress {
  readonly #trace: Trace;
  readonly #terminal = process.stderr.isTTY === true;
  #next = 0;
  #lines = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  update(requests: number): void {
    if (this.#terminal) {
      const now = performance.now();
      if (now < this.#next) return;
      this.#next = now + everyMs;
      process.stderr.write(`\r\u001b[K${this.#text(requests)}`);
    } else if (Math.floor(requests / everyRequests) > this.#lines) {
      this.#lines = Math.floor(requests / everyRequests);
      process.stderr.write(`${this.#text(requests)}\n`);
    }
  }

  /** Takes the line away. */
  end(): void {
    if (this.#terminal) process.stderr.write('\r\u001b[K');
  }

  #text(requests: number): string {
    const { bytes, bytesRead } = this.#trace;
    const part =
      bytes === undefined ? '' : `, ${percent(bytesRead / Math.max(bytes, bytesRead), 0)} of the file`;
    return `${count(requests)} requests${part}`;
  }
}
