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
  /** By how long, and by the ids of their jobs. */
  readonly #waiting = new Map<number, Map<string, Waiting>>();

  constructor(scripts: BullScripts) {
    this.#scripts = scripts;
  }

  /** Whether the lease was still held. */
  extend(held: Held, ms: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const { jobId } = held;
      const each = { held, resolve, reject };
      const waiting = this.#waiting.get(ms);
      if (waiting === undefined) {
        this.#waiting.set(ms, new Map([[jobId, each]]));
        setImmediate(() => void this.#sendWaiting(ms));
      } else if (waiting.has(jobId)) {
        // The answer names jobs: who has lost one and who has it now need a command each
        void this.#send([each], ms);
      } else {
        waiting.set(jobId, each);
      }
    });
  }

  #sendWaiting(ms: number): Promise<void> {
    const waiting = this.#waiting.get(ms)!;
    this.#waiting.delete(ms);
    return this.#send([...waiting.values()], ms);
  }

  async #send(waiting: readonly Waiting[], ms: number): Promise<void> {
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
