import { AshlarError, type CallOutcome, describe, objectWith, refused, required, text } from '@ashlar/core';

/** What a write presents to a fenced sink. A `Lease` is one. */
export interface FencingToken {
  readonly token: bigint;
  /** Tells two holders of an equal token apart, as after a failover that lost the first claim. */
  readonly holder: string;
}

/** A sink refused a token: it has seen a newer one, or the same one from another holder. Nothing was written. */
export class StaleTokenError extends AshlarError {
  static override readonly code: string = 'ASHLAR_STORE_STALE_TOKEN';
  readonly outcome: CallOutcome = 'NotExecuted';
  readonly presented: FencingToken;
  /** The newest token at the sink. A holder whose lease is still held acquires it again `above` this token. */
  readonly seen: FencingToken;

  constructor(resource: string, presented: FencingToken, seen: FencingToken) {
    super(
      `${resource} refused token ${presented.token} of ${describe(presented.holder)}: ` +
        `it has seen ${seen.token} of ${describe(seen.holder)}`,
    );
    this.presented = presented;
    this.seen = seen;
  }
}

/**
 * Whether a sink that has seen `seen` must refuse: an older token, or an equal one from another holder.
 *
 * @throws InvalidOptionError
 */
export function isStale(presented: FencingToken, seen: FencingToken | undefined): boolean {
  const given = checkFencingToken(presented, 'presented');
  if (seen === undefined) return false;
  const last = checkFencingToken(seen, 'seen');
  if (given.token > last.token) return false;
  return given.token < last.token || given.holder !== last.holder;
}

const resourceName = text('the fence');

/** Guards something in the memory of this process. Make one for each guarded thing. */
export class Fence {
  readonly #resource: string;
  #seen: FencingToken | undefined;

  /**
   * @param resource what errors call it. Default: `the fence`.
   * @throws InvalidOptionError
   */
  constructor(resource?: string) {
    this.#resource = resourceName(resource, 'resource');
  }

  /** The newest admitted token. */
  get seen(): FencingToken | undefined {
    return this.#seen;
  }

  /** Call it in the same turn of the event loop as the write that it guards. @throws StaleTokenError, InvalidOptionError */
  admit(lease: FencingToken): void {
    const presented = checkFencingToken(lease, 'lease');
    if (isStale(presented, this.#seen)) throw new StaleTokenError(this.#resource, presented, this.#seen!);
    this.#seen = presented;
  }
}

const advice = 'pass the Lease, or `{ token, holder }`';

const fencing = required(objectWith<FencingToken>([], advice), advice);

/** The two fields alone: a lease has more to it than an error should keep. @throws InvalidOptionError */
export function checkFencingToken(value: unknown, option: string): FencingToken {
  const { token, holder } = fencing(value, option);
  if (typeof token !== 'bigint') {
    throw refused(`${option}.token`, 'a bigint', token, 'pass the Lease, or its `token` as it is');
  }
  if (typeof holder !== 'string') throw refused(`${option}.holder`, 'a string', holder);
  return { token, holder };
}
