/**
 * A cheap AbortController for objects made by the thousand: it makes its signal when it is first read. A signal and a
 * listener cost more than everything else that an attempt needs from the balancer.
 */
export class Cancellation {
  aborted = false;
  reason: unknown;
  #controller: AbortController | undefined;
  /** Most have at most one listener. */
  #listener: Listener | undefined;
  #more: Listener[] | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** Calls the listener once on abort, in order of registration; at once when it has aborted already. */
  onAbort(listener: Listener): void {
    if (this.aborted) listener(this.reason);
    else if (this.#listener === undefined) this.#listener = listener;
    else if (this.#more === undefined) this.#more = [listener];
    else this.#more.push(listener);
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#controller?.abort(reason);
    this.#listener?.(reason);
    if (this.#more !== undefined) for (const listener of this.#more) listener(reason);
    this.#listener = undefined;
    this.#more = undefined;
  }
}

type Listener = (reason: unknown) => void;
