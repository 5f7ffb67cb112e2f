import type { Connection } from '../connection.ts';
import { StallWatch } from './stall-watch.ts';
import { TimeLimit } from './time-limit.ts';

/** A request body on its way to an endpoint. */
export interface Upload {
  /** Whether its source has to give more of it: then it is not the endpoint that is slow. */
  readonly isAwaited: boolean;
}

/** The time limits of one request to an endpoint: until it goes out, until the head of its response, for the gaps of the body. */
export class UpstreamLimits<T> {
  readonly #owner: T;
  readonly #onOver: (owner: T) => void;
  readonly #limit: TimeLimit<T>;
  #upload: StallWatch | undefined;
  #looks = 0;

  /** @param onOver is called with the owner when the endpoint takes too long */
  constructor(owner: T, onOver: (owner: T) => void) {
    this.#owner = owner;
    this.#onOver = onOver;
    this.#limit = new TimeLimit(owner, onOver);
  }

  start(timeoutMs: number): void {
    this.#endUpload();
    this.#limit.start(timeoutMs);
  }

  /** The time for the head of the response begins when the endpoint has taken the last byte of the request. */
  startHead(timeoutMs: number, upload: Upload | undefined, connection: Connection | undefined): void {
    this.start(timeoutMs);
    if (upload === undefined || connection === undefined) return;
    this.#limit.stop();
    const state = async (maxAgeMs: number) =>
      upload.isAwaited ? `awaited ${this.#looks++}` : connection.sent(maxAgeMs);
    this.#upload = new StallWatch(timeoutMs, state, () => this.#onOver(this.#owner));
    this.#upload.start();
  }

  /** Something arrived. */
  restart(): void {
    this.#limit.restart();
  }

  stop(): void {
    this.#endUpload();
    this.#limit.stop();
  }

  #endUpload(): void {
    this.#upload?.end();
    this.#upload = undefined;
  }
}
