import type { Endpoint } from './endpoint.ts';
import type { Settlement } from './outcome.ts';

/** One request's right to an endpoint. It counts as in flight until it is done. */
export interface Picked<E extends Endpoint> extends Disposable {
  /** As it was when it was picked. */
  readonly endpoint: E;
  /**
   * Ends the request. Without an argument it says nothing of the endpoint, as when the caller gave up. The first call
   * counts; later ones do nothing, so that cleaning up may call it again.
   */
  done(settlement?: Settlement): void;
}
