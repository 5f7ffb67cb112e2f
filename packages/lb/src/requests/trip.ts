import type { Endpoint } from '../endpoint.ts';
import type { Flight } from '../endpoints/flight.ts';
import { AttemptContext } from '../request.ts';
import { Cancellation } from '../util/cancellation.ts';
import type { Timer } from '../util/timers.ts';

/** One attempt on its way. */
export class Trip<E extends Endpoint> extends AttemptContext<E> {
  readonly endpoint: E;
  readonly attempt: number;
  readonly flight: Flight<E>;
  /** Whether it was sent while an earlier one was still on its way. */
  readonly isHedge: boolean;
  /** Its own time. */
  timer: Timer | undefined;
  /** Whether it has been counted: what it still brings is of no use. */
  over = false;
  readonly cancellation: Cancellation = new Cancellation();

  constructor(flight: Flight<E>, attempt: number, isHedge: boolean) {
    super();
    this.endpoint = flight.endpoint;
    this.attempt = attempt;
    this.flight = flight;
    this.isHedge = isHedge;
  }

  get signal(): AbortSignal {
    return this.cancellation.signal;
  }

  /** It has been counted. */
  end(): void {
    this.over = true;
    this.timer?.stop();
  }
}
