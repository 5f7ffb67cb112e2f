import { Horizon, type Look } from '../transactions/horizon.ts';
import { noFloors } from './statements.ts';

/** What a look at the floors answers. */
export interface FoundFloors extends Look {
  /** JSON of the lowest id of each lane, as text; null where there is no row. */
  readonly lowest: string;
  /** Another one when ids may begin anew: after a failover, a restore, a truncation. */
  readonly origin: string;
}

/**
 * Where each lane begins: no row has a lower id, now or ever, so that dead rows there are never walked over, which an old
 * snapshot of anyone keeps. When all transactions are over that had written before an id was seen, all lower ids are known.
 */
export class LaneFloors {
  readonly #horizon = new Horizon(0n);
  #current: string = noFloors;
  #seen = 0n;
  /** What was seen when it was marked last. */
  #marked = 0n;
  #origin: string | undefined;

  /** The ids of all lanes, as a parameter of a statement. */
  get current(): string {
    return this.#current;
  }

  /** Of the next look: whether it is to mark, and whether to ask for writers. */
  get looks(): readonly [marks: boolean, asks: boolean] {
    return [this.#seen !== this.#marked && this.#horizon.marks(), this.#horizon.asks];
  }

  /** The lowest of all lanes. */
  get lowest(): bigint {
    const all = this.#current.slice(1, -1).split(',').map(BigInt);
    return all.reduce((least, each) => (each < least ? each : least));
  }

  /** A row was read. */
  saw(id: string): void {
    const number = BigInt(id);
    if (number > this.#seen) this.#seen = number;
  }

  learn(found: FoundFloors): void {
    if (this.#origin !== undefined && found.origin !== this.#origin) {
      this.forget();
      return;
    }
    this.#origin = found.origin;
    if (found.mark !== null) this.#marked = this.#seen;
    const safe = this.#horizon.learn(found, this.#seen);
    const floors = (JSON.parse(found.lowest) as (string | null)[]).map(id => {
      return id === null || BigInt(id) > safe ? safe : id;
    });
    this.#current = `{${floors.join()}}`;
  }

  forget(): void {
    this.#current = noFloors;
    this.#seen = 0n;
    this.#marked = 0n;
    this.#origin = undefined;
    this.#horizon.forget();
  }
}
