import { CrossShardError, NotReadyError } from '../errors/routing.ts';
import type { MapCopy } from '../map/map-copy.ts';
import type { Route, Routes } from '../map/routes.ts';

/** Where work runs. */
export interface Place {
  readonly shard: string;
  /** One of its slots, which names it for people. */
  readonly slot: number;
  /** Since when the shard has its slots. */
  readonly since: ReadonlyMap<number, number>;
  readonly isUncertain: boolean;
}

/** Where the slots of work are, and whether they still are there when it is done. */
export class Places {
  readonly #router: string;
  readonly #copy: MapCopy;

  constructor(router: string, copy: MapCopy) {
    this.#router = router;
    this.#copy = copy;
  }

  /** Of slots on one shard. @throws CrossShardError, NotReadyError */
  one(all: readonly Route[]): Place {
    const { shard, slot } = all[0]!;
    const other = all.find(each => each.shard !== shard);
    if (other !== undefined) {
      throw new CrossShardError(
        `slots ${slot} and ${other.slot} of one call are on ${shard} and ${other.shard}`,
        'make a call for the keys of each shard',
      );
    }
    return this.of(all);
  }

  /** Of slots on any shards: the first one's names the place. @throws NotReadyError */
  of(all: readonly Route[]): Place {
    const { routes } = this.#copy;
    if (routes === undefined) throw new NotReadyError(this.#router);
    const { shard, slot } = all[0]!;
    const since = new Map(all.map(each => [each.slot, routes.since(each.slot)]));
    const isUncertain = all.some(each => routes.isUncertain(each.slot));
    return { shard, slot, since, isUncertain };
  }

  /** Whether the slots have been where they are ever since, and still were at some moment of this call. */
  async stay({ since }: Place): Promise<boolean> {
    const copy = this.#copy;
    const slots = [...since.keys()];
    const isSure = copy.isValid && !slots.some(slot => copy.routes!.isUncertain(slot));
    const routes = isSure ? copy.routes! : await copy.fresh();
    return slots.every(slot => routes.since(slot) === since.get(slot));
  }

  /** Whether no slot has changed hands since that map was the map. @throws the store's error */
  async isCurrent(before: Routes): Promise<boolean> {
    const copy = this.#copy;
    const isSure = copy.isValid && !copy.routes!.isAnyUncertain;
    const routes = isSure ? copy.routes! : await copy.fresh();
    return routes.map.epoch === before.map.epoch;
  }

  /** Whether this process knows that one has changed hands. */
  hasMoved({ since }: Place): boolean {
    const routes = this.#copy.routes!;
    return [...since].some(([slot, before]) => routes.since(slot) !== before);
  }
}
