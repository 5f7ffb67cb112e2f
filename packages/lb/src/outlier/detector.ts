import type { Outcome } from '../outcome.ts';

/**
 * Judges endpoints by how their requests went. It is told of every outcome of an endpoint that is up, and keeps what
 * it needs about each; whether an endpoint may in fact be ejected is not its business.
 */
export interface Detector {
  /** Why the endpoint should be ejected, in a few words; `undefined` when it need not be. */
  observe(endpoint: object, outcome: Outcome, now: number): string | undefined;
  /** The endpoint left, or came back: it begins anew. */
  forget(endpoint: object): void;
}
