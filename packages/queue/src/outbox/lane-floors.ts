import { Horizon, type Look } from '../transactions/horizon.ts';
import { noFloors } from './statements.ts';

/** What a look at the floors answers. */
export interface FoundFloors extends Look {
  /** JSON of the lowest id of each lane, as text; null where there is no row. */
  readonly lowest: string;
  /** Another one when ids may begin anew: after a failover, a restore, a truncation. */
  readonly origin: string;
}

/** How often the floors are moved, at most, and after how many rows: the next looks would walk over those. */
const floorMs = 250;
const floorRows = 256;
/** How often rows are looked for below them, where a restore or an operator has put some; less often where that takes long. */
const wholeMs = 5_000;
const wholeShare = 0.01;

/**
 * Where each lane begins: no row gets a lower id, so that dead rows there are not walked over again and again, which an old
 * snapshot of anyone keeps. When all transactions are over that had written before an id was seen, all lower ids are known.
 */
export class LaneFloors {
  readonly #horizon = new Horizon(0n);
  #current: string = noFloors;
  #seen = 0n;
  /** What was seen when it was marked last. */
  #marked = 0n;
  #origin: string | undefined;
  #movedAt = -Infinity;
  #wholeAt: number = performance.now() + wholeMs;
  /** How many rows were read since they were moved. */
  #rows = 0;

  /** The ids of all lanes, as a parameter of a statement. */
  get current(): string {
    return this.#current;
  }

  /** The same of these lanes, and null for all others. */
  of(lanes: ReadonlySet<number>): string {
    const all = this.#current.slice(1, -1).split(',');
    return `{${all.map((floor, lane) => (lanes.has(lane) ? floor : 'NULL')).join()}}`;
  }

  /** The lowest of all lanes. */
  get lowest(): bigint {
    const all = this.#current.slice(1, -1).split(',').map(BigInt);
    return all.reduce((least, each) => (each < least ? each : least));
  }

  /** A row was read. */
  saw(id: string): void {
    this.#rows++;
    const number = BigInt(id);
    if (number > this.#seen) this.#seen = number;
  }

  /**
   * Moves them when it is time.
   *
   * @param restMs milliseconds between looks, at most `floorMs`
   * @param look from these floors on: whether it is to mark, and whether to ask for writers
   * @returns the lanes that have rows; undefined when it has not looked, or not at the same table
   */
  async move(
    restMs: number,
    look: (floors: string, marks: boolean, asks: boolean) => Promise<FoundFloors>,
  ): Promise<ReadonlySet<number> | undefined> {
    const now = performance.now();
    if (now < this.#movedAt + Math.min(floorMs, restMs) && this.#rows < floorRows) return undefined;
    this.#movedAt = now;
    this.#rows = 0;
    const isWhole = now >= this.#wholeAt;
    const marks = this.#seen !== this.#marked && this.#horizon.marks();
    try {
      return this.#learn(await look(isWhole ? noFloors : this.#current, marks, this.#horizon.asks));
    } finally {
      const tookMs = performance.now() - now;
      if (isWhole) this.#wholeAt = now + Math.max(wholeMs, tookMs / wholeShare);
    }
  }

  forget(): void {
    this.#current = noFloors;
    this.#seen = 0n;
    this.#marked = 0n;
    this.#origin = undefined;
    this.#horizon.forget();
  }

  #learn(found: FoundFloors): ReadonlySet<number> | undefined {
    if (this.#origin !== undefined && found.origin !== this.#origin) {
      this.forget();
      return undefined;
    }
    this.#origin = found.origin;
    if (found.mark !== null) this.#marked = this.#seen;
    const safe = this.#horizon.learn(found, this.#seen);
    const lowest = JSON.parse(found.lowest) as (string | null)[];
    const floors = lowest.map(id => (id === null || BigInt(id) > safe ? safe : id));
    this.#current = `{${floors.join()}}`;
    return new Set([...lowest.keys()].filter(lane => lowest[lane] !== null));
  }
}
