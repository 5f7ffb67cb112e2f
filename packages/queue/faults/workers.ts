import { Peer } from '@workspace/faults';
import type { Ledger } from './ledger.ts';
import type { WorkerMessage, WorkerSettings } from './worker-process.ts';

/** A consumer in a process of its own, whose words go into the ledger. */
export class Worker {
  readonly peer: Peer<WorkerMessage>;
  /** The messages that it has begun and not done. */
  readonly open: Set<number> = new Set();
  /** Those that somebody else had in hands before, and when it has begun them. */
  readonly redelivered: Map<number, number> = new Map();
  readonly #ledger: Ledger;
  readonly #begun = new Set<number>();

  private constructor(settings: WorkerSettings, ledger: Ledger) {
    this.#ledger = ledger;
    this.peer = new Peer(new URL('./worker-process.ts', import.meta.url), settings);
  }

  static async start(settings: WorkerSettings, ledger: Ledger): Promise<Worker> {
    const worker = new Worker(settings, ledger);
    const first = await worker.peer.next();
    if (first.kind !== 'ready') throw new Error('a worker began before it was ready');
    void worker.#listen();
    return worker;
  }

  async #listen(): Promise<void> {
    try {
      for (;;) {
        const message = await this.peer.next();
        if (message.kind === 'begun') {
          this.#ledger.begun(message.n);
          this.open.add(message.n);
          const isOthers = message.attempt > 1 && !this.#begun.has(message.n);
          if (isOthers) this.redelivered.set(message.n, performance.now());
          this.#begun.add(message.n);
        } else if (message.kind === 'done') {
          this.#ledger.done(message.n);
          this.open.delete(message.n);
        }
      }
    } catch {
      // The process has ended
    }
  }
}
