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
