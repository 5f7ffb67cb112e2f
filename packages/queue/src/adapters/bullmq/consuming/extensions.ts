import type { BullScripts } from '../library.ts';
import type { Held } from './held.ts';

interface Waiting {
  readonly held: Held;
  resolve(isHeld: boolean): void;
  reject(error: unknown): void;
}

/** Extends leases: those of one turn of the event loop with one command. */
export class Extensions {
  readonly #scripts: BullScripts;
  readonly #waiting = new Map<number, Waiting[]>();

  constructor(scripts: BullScripts) {
    this.#scripts = scripts;
  }

  /** Whether the lease was still held. */
  extend(held: Held, ms: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(ms);
      if (waiting !== undefined) {
        waiting.push({ held, resolve, reject });
        return;
      }
      this.#waiting.set(ms, [{ held, resolve, reject }]);
      setImmediate(() => void this.#send(ms));
    });
  }

  async #send(ms: number): Promise<void> {
    const waiting = this.#waiting.get(ms) ?? [];
    this.#waiting.delete(ms);
    const ids = waiting.map(({ held }) => held.jobId);
    const tokens = waiting.map(({ held }) => held.token);
    try {
      const lost = new Set(await this.#scripts.extendLocks(ids, tokens, Math.ceil(ms)));
      for (const { held, resolve } of waiting) resolve(!lost.has(held.jobId));
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
