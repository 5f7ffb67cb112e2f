import type { Endpoint } from './endpoint.ts';

/**
 * Tells which endpoints there are: each item is the full set, not a change. An endpoint whose id stays keeps its
 * statistics; its weight, url, zone and other fields are taken over.
 *
 * A set that is empty, or has an endpoint twice or ill-formed, is refused, and the last good one stays in use. So it
 * does when the iterable ends or throws; it is not iterated again: a source that wants to outlive an error catches it.
 * `close` of the balancer calls the iterator's `return` and does not wait for it.
 */
export type Discovery<E extends Endpoint> = AsyncIterable<readonly E[]>;
