import { describe } from '@ashlar/core';
import { DuplicateEndpointError, InvalidEndpointError } from './errors.ts';

/** One replica of a service. Fields beyond these are the user's own and come back with every pick. */
export interface Endpoint {
  /** Unique within a balancer, any non-empty string; what an endpoint is recognized by when the set changes. */
  readonly id: string;
  /** Where it listens. The balancer itself does not read it; the adapters and `httpCheck` do. */
  readonly url?: string;
  /** Its share of the traffic relative to the others; at most 2^53 - 1, and 1 if absent. At 0 it is given no new requests. */
  readonly weight?: number;
  /** Where it can fail together with others. */
  readonly zone?: string;
}

/**
 * Tells which endpoints there are: each item is the full set, not a change. An endpoint whose id stays keeps its
 * statistics; its weight, url, zone and other fields are taken over.
 *
 * A set that is empty, or has an endpoint twice or ill-formed, is refused, and the last good one stays in use. So it
 * does when the iterable ends or throws; it is not iterated again: a source that wants to outlive an error catches it.
 * `close` of the balancer calls the iterator's `return` and does not wait for it.
 */
export type Discovery<E extends Endpoint> = AsyncIterable<readonly E[]>;

export function isDiscovery<E extends Endpoint>(
  endpoints: Iterable<E> | Discovery<E>,
): endpoints is Discovery<E> {
  return typeof (endpoints as Partial<Discovery<E>> | null)?.[Symbol.asyncIterator] === 'function';
}

/** The endpoints as a list of their own. @throws InvalidEndpointError, DuplicateEndpointError */
export function checkedEndpoints<E extends Endpoint>(endpoints: Iterable<E>): E[] {
  const checked = [...endpoints];
  const ids = new Set<string>();
  for (const [index, endpoint] of checked.entries()) {
    checkEndpoint(index, endpoint);
    if (ids.has(endpoint.id)) throw new DuplicateEndpointError(endpoint.id);
    ids.add(endpoint.id);
  }
  return checked;
}

export function weightOf(endpoint: Endpoint): number {
  return endpoint.weight ?? 1;
}

/** Beyond this, sums of weights are not exact, and end up infinite. */
const maxWeight = Number.MAX_SAFE_INTEGER;

function checkEndpoint(index: number, endpoint: Endpoint | null): void {
  if (typeof endpoint !== 'object' || endpoint === null) {
    throw new InvalidEndpointError(index, `must be an object with an \`id\`, got ${describe(endpoint)}`);
  }
  const { id, url, weight = 1, zone } = endpoint;
  if (typeof id !== 'string' || id === '') {
    throw new InvalidEndpointError(
      index,
      `must have an \`id\` that is a string and not empty, got ${describe(id)}`,
    );
  }
  if (typeof weight !== 'number' || !(weight >= 0 && weight <= maxWeight)) {
    const must = `must have a \`weight\` that is a number of at least 0 and at most ${maxWeight}`;
    throw new InvalidEndpointError(index, `(${describe(id)}) ${must}, got ${describe(weight)}`);
  }
  for (const [name, value] of Object.entries({ url, zone })) {
    if (value === undefined || typeof value === 'string') continue;
    throw new InvalidEndpointError(
      index,
      `(${describe(id)}) must have a string as its \`${name}\`, got ${describe(value)}`,
    );
  }
}

/** Whether two descriptions of an endpoint say the same, so that nothing need follow from the newer one. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a === b) return true;
  const before = Object.entries(a);
  const after = b as unknown as Readonly<Record<string, unknown>>;
  return (
    before.length === Object.keys(b).length && before.every(([name, value]) => Object.is(value, after[name]))
  );
}
