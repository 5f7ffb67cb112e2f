import type { Endpoint } from './endpoint.ts';

/**
 * An endpoint as a policy sees it. One object for as long as the endpoint stays, changed in place: policies may keep
 * it, compare it by identity and read it at any time.
 */
export interface Candidate<E extends Endpoint> {
  readonly endpoint: E;
  /** Requests that were picked and are not done. */
  readonly inFlight: number;
  /** Above 0. A change is followed by `update`. */
  readonly weight: number;
}
