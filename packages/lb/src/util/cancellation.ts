/**
 * What an AbortController is, for what is made by the thousand and seldom asked: its signal is made when somebody wants
 * it, since to make one and to listen to it cost more than all else that an attempt needs of the balancer.
 */
export class Cancellation {
  aborted = false;
  reason: unknown;
  #controller: AbortController | undefined;
  /** Most have one listener at most. */
  #listener: Listener | undefined;
  #more: Listener[] | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /** Listeners are told once, in the order in which they came; at once when it has aborted already. */
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
