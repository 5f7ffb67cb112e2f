/** One replica of a service. Fields beyond these are the user's own and come back with every pick. */
export interface Endpoint {
  /** Unique within a balancer, any non-empty string; what an endpoint is recognized by when the set changes. */
  readonly id: string;
  /** Where it listens. The balancer itself does not read it; `reverseProxy` does. */
  readonly url?: string;
  /** Its share of the traffic relative to the others; 1 if absent. At 0 it is given no new requests. */
  readonly weight?: number;
  /** Where it can fail together with others. */
  readonly zone?: string;
}
