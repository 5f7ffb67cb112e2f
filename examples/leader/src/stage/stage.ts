import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Options } from '../cli/options.ts';
import type { Settings } from '../contender/messages.ts';
import type { Home } from '../ground/ground.ts';
import { memoryHome } from '../ground/memory.ts';
import { postgresGround } from '../ground/postgres.ts';
import { redisGround } from '../ground/redis.ts';
import { Contender, type Happening } from './contender.ts';
import { Ledger } from './ledger.ts';

const places = [1, 2, 3];
const lookMs = 100;

/** The contenders, what they contend for, and the books. `happened` follows everything that happens. */
export class Stage extends EventEmitter<{ happened: [contender: number, happening: Happening] }> {
  readonly ledger: Ledger = new Ledger();
  readonly contenders: readonly Contender[];
  readonly #home: Home;
  readonly #looking: NodeJS.Timeout;
  readonly #endAll = () => this.contenders.forEach(contender => void contender.end());

  /** Starts the contenders. Rejects when the server cannot be used. */
  static async open({ place, ttlMs }: Options): Promise<Stage> {
    const settings: Settings = { place, ttlMs, run: `run-${randomUUID()}` };
    const home = homeOf(settings);
    try {
      await home.counter.create();
    } catch (error) {
      await home[Symbol.asyncDispose]();
      throw error;
    }
    return new Stage(settings, home);
  }

  private constructor(settings: Settings, home: Home) {
    super();
    this.#home = home;
    this.contenders = places.map(number => {
      const happened = (happening: Happening) => {
        this.ledger.hear(number, happening);
        this.emit('happened', number, happening);
      };
      return new Contender(number, settings, home, happened);
    });
    process.once('exit', this.#endAll); // also when somebody is impatient: none stays stopped
    this.#looking = setInterval(() => this.look().catch(() => {}), lookMs);
  }

  /** Reads the counter. Rejects when the server cannot be asked. */
  async look(): Promise<number> {
    const floor = this.ledger.highest;
    const count = await this.#home.counter.read();
    this.ledger.saw(count, floor);
    return count;
  }

  /** Resolves in the same turn in which it becomes so. Rejects with the signal's reason. */
  until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        this.off('happened', check);
        signal.removeEventListener('abort', abort);
        how();
      };
      const check = () => isSo() && settle(resolve);
      const abort = () => settle(() => reject(signal.reason));
      if (signal.aborted) return abort();
      this.on('happened', check);
      signal.addEventListener('abort', abort);
      check();
    });
  }

  /** Ends the contenders, stopped or not, and takes away the counter. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    await Promise.all(this.contenders.map(contender => contender[Symbol.asyncDispose]()));
    process.off('exit', this.#endAll);
    await this.#home.counter.remove().catch(() => {}); // the server may be gone
    await this.#home[Symbol.asyncDispose]();
  }
}

function homeOf({ place, run }: Settings): Home {
  if (place.backend === 'memory') return memoryHome();
  return place.backend === 'redis' ? redisGround(place.url, run) : postgresGround(place.url, run);
}
