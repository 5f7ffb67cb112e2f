import { StaleTokenError } from './errors.ts';

/** What a write presents to a sink that is fenced. A `Lease` is one. */
export interface FencingToken {
  readonly token: bigint;
  /** Tells two holders apart who were given one token, as after a failover that lost the first of them. */
  readonly holder: string;
}

/** Whether a sink that has seen `seen` must refuse: an older token, or the same one from another holder. */
export function isStale(presented: FencingToken, seen: FencingToken | undefined): boolean {
  if (seen === undefined || presented.token > seen.token) return false;
  return presented.token < seen.token || presented.holder !== seen.holder;
}

/** Guards something in this process's memory; one object for each thing that is guarded. */
export class Fence {
  readonly #resource: string;
  #seen: FencingToken | undefined;

  /** `resource` is what errors call it. */
  constructor(resource = 'the fence') {
    this.#resource = resource;
  }

  /** The newest that was admitted. */
  get seen(): FencingToken | undefined {
    return this.#seen;
  }

  /** Call it in the same turn as the write that it guards. @throws StaleTokenError */
  admit({ token, holder }: FencingToken): void {
    const presented = { token, holder };
    if (isStale(presented, this.#seen)) throw new StaleTokenError(this.#resource, presented, this.#seen!);
    this.#seen = presented;
  }
}
