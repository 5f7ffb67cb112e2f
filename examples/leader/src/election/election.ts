import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { ParentBackend } from '../backends/backend.ts';
import { parentMemory } from '../backends/memory.ts';
import { postgresBackend } from '../backends/postgres.ts';
import { redisBackend } from '../backends/redis.ts';
import type { Options } from '../cli/options.ts';
import type { Settings } from '../contender/messages.ts';
import { Contender, type ContenderEvent } from './contender.ts';
import { Ledger } from './ledger.ts';

const places = [1, 2, 3];
const readEveryMs = 100;

/** The contenders, the backend that they share, and the ledger of their writes. Emits `event` for everything that happens. */
export class Election extends EventEmitter<{ event: [contender: number, event: ContenderEvent] }> {
  readonly ledger: Ledger = new Ledger();
  readonly contenders: readonly Contender[];
  readonly #backend: ParentBackend;
  readonly #reading: NodeJS.Timeout;
  readonly #endAll = () => this.contenders.forEach(contender => void contender.end());

  /** Starts the contenders. Rejects when the server cannot be used. */
  static async open({ place, ttlMs }: Options): Promise<Election> {
    const settings: Settings = { place, ttlMs, run: `run-${randomUUID()}` };
    const backend = backendOf(settings);
    try {
      await backend.counter.create();
    } catch (error) {
      await backend[Symbol.asyncDispose]();
      throw error;
    }
    return new Election(settings, backend);
  }

  private constructor(settings: Settings, backend: ParentBackend) {
    super();
    this.#backend = backend;
    this.contenders = places.map(number => {
      const onEvent = (event: ContenderEvent) => {
        this.ledger.record(number, event);
        this.emit('event', number, event);
      };
      return new Contender(number, settings, backend, onEvent);
    });
    process.once('exit', this.#endAll); // also after a second Ctrl-C: none stays stopped
    this.#reading = setInterval(() => this.readCounter().catch(() => {}), readEveryMs);
  }

  /** Reads the counter. Rejects when the server cannot be asked. */
  async readCounter(): Promise<number> {
    const floor = this.ledger.highest;
    const count = await this.#backend.counter.read();
    this.ledger.recordRead(count, floor);
    return count;
  }

  /** Resolves in the same turn in which it becomes so. Rejects with the signal's reason. */
  until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        this.off('event', check);
        signal.removeEventListener('abort', abort);
        how();
      };
      const check = () => isSo() && settle(resolve);
      const abort = () => settle(() => reject(signal.reason));
      if (signal.aborted) return abort();
      this.on('event', check);
      signal.addEventListener('abort', abort);
      check();
    });
  }

  /** Ends the contenders, stopped or not, and takes away the counter. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#reading);
    await Promise.all(this.contenders.map(contender => contender[Symbol.asyncDispose]()));
    process.off('exit', this.#endAll);
    await this.#backend.counter.remove().catch(() => {}); // the server may be gone
    await this.#backend[Symbol.asyncDispose]();
  }
}

function backendOf({ place, run }: Settings): ParentBackend {
  if (place.backend === 'memory') return parentMemory();
  return place.backend === 'redis' ? redisBackend(place.url, run) : postgresBackend(place.url, run);
}
